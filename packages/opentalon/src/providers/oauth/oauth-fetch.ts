import { isRecord } from "../wire/classify-failure.ts";

const maxBodyBytes = 256 * 1024;
const maxTokenLength = 64 * 1024;

/** What servers answer that is larger than any answer of the protocol. */
export class OversizedAnswerError extends Error {}

/**
 * The way to an authorization server: bounded, and its answers brought to the form the standard has. Some servers
 * report errors with status 200, leave out the token's type, or write `null`. Identity tokens are dropped unread.
 */
export async function fetchOAuth(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  const text = await readBounded(response);
  const body = parseObject(text);
  const type = response.headers.get("content-type") ?? "";
  if (body === undefined || !type.includes("json"))
    return new Response(
      isEmptyStatus(response.status) ? null : text,
      toHead(response, response.status),
    );
  const isError = typeof body["error"] === "string" && body["access_token"] === undefined;
  const status = response.status === 200 && isError ? 400 : response.status;
  return Response.json(toStandardForm(body), toHead(response, status));
}

function toStandardForm(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept = Object.entries(body).filter(
    ([name, value]) => name !== "id_token" && value !== null && value !== "",
  );
  const isGrant = typeof body["access_token"] === "string";
  return { ...(isGrant ? { token_type: "bearer" } : {}), ...Object.fromEntries(kept) };
}

function toHead(response: Response, status: number): ResponseInit {
  const challenge = response.headers.get("www-authenticate");
  const contentType = response.headers.get("content-type");
  return {
    status,
    headers: {
      ...(challenge === null ? {} : { "www-authenticate": challenge }),
      ...(contentType === null ? {} : { "content-type": contentType }),
    },
  };
}

function isEmptyStatus(status: number): boolean {
  return [204, 205, 304].includes(status);
}

async function readBounded(response: Response): Promise<string> {
  const body: ReadableStream<Uint8Array> | null = response.body;
  if (body === null) return "";
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > maxBodyBytes) throw new OversizedAnswerError("the answer is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a text can be sent in a header: servers decide what a token looks like, up to a point. */
export function isToken(text: string): boolean {
  return text.length > 0 && text.length <= maxTokenLength && /^[\x21-\x7e]+$/.test(text);
}
