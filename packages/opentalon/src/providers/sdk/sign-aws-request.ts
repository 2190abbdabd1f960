import { createHash, createHmac } from "node:crypto";
import type { AwsKeys } from "../credentials/cloud-credentials.ts";
import type { HeaderRecord } from "./sdk-fetch.ts";

export interface AwsRequest {
  readonly url: string;
  readonly body: string;
  readonly keys: AwsKeys;
  readonly region: string;
  readonly service: string;
  readonly nowMs: number;
}

const algorithm = "AWS4-HMAC-SHA256";

/** Headers that vouch for a POST by Signature Version 4; they cover the address, the body and the time. */
export function signAwsRequest(request: AwsRequest): HeaderRecord {
  const { url, body, keys, region, service, nowMs } = request;
  const { host, pathname, searchParams } = new URL(url);
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const date = time.slice(0, 8);
  const signed: HeaderRecord = {
    host,
    "x-amz-date": time,
    ...(keys.sessionToken === "" ? {} : { "x-amz-security-token": keys.sessionToken }),
  };
  const names = Object.keys(signed).join(";");
  const canonical = [
    "POST",
    // What is escaped in the address is escaped once more in what is signed.
    pathname.split("/").map(escape).join("/"),
    [...searchParams]
      .map(([name, value]) => `${escape(name)}=${escape(value)}`)
      .toSorted()
      .join("&"),
    ...Object.entries(signed).map(([name, value]) => `${name}:${value}`),
    "",
    names,
    hash(body),
  ].join("\n");
  const scope = `${date}/${region}/${service}/aws4_request`;
  const toSign = [algorithm, time, scope, hash(canonical)].join("\n");
  let key: Buffer | string = `AWS4${keys.secretAccessKey}`;
  for (const part of [date, region, service, "aws4_request"]) key = digest(key, part);
  const signature = digest(key, toSign).toString("hex");
  const { host: _, ...sent } = signed;
  return {
    ...sent,
    authorization: `${algorithm} Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function digest(key: Buffer | string, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function escape(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
