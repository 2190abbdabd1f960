import { createSecret } from "../../base/secret.ts";
import type { Secret } from "../../base/secret.ts";
import { isRecord } from "../wire/classify-failure.ts";

/** Keys of an AWS account, with which each request is signed. */
export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Empty for keys that are not lent. */
  readonly sessionToken: string;
}

/** A Google service account, which asks for a token of short life. */
export interface ServiceAccount {
  readonly clientEmail: string;
  readonly privateKey: string;
  readonly privateKeyId: string;
  readonly tokenUri: string;
  readonly projectId: string;
}

/** Both as one credential, so that they rest, rotate and are redacted as any other key. */
export function createAwsCredential(keys: AwsKeys): Secret {
  // A message may quote one of them alone.
  for (const key of [keys.secretAccessKey, keys.sessionToken]) createSecret(key);
  return createSecret(JSON.stringify(keys));
}

/** `undefined` for a credential of another kind, such as an API key. */
export function readAwsCredential(credential: string): AwsKeys | undefined {
  const keys = parseRecord(credential);
  const accessKeyId = textOf(keys, "accessKeyId");
  const secretAccessKey = textOf(keys, "secretAccessKey");
  if (accessKeyId === "" || secretAccessKey === "") return undefined;
  return { accessKeyId, secretAccessKey, sessionToken: textOf(keys, "sessionToken") };
}

const googleTokenUri = "https://oauth2.googleapis.com/token";

/** The content of a service account's JSON file; `undefined` when it is none. */
export function createServiceAccountCredential(fileText: string): Secret | undefined {
  const account = readServiceAccount(fileText);
  if (account === undefined) return undefined;
  // A message may quote the key alone.
  createSecret(account.privateKey);
  return createSecret(fileText);
}

/** `undefined` for a credential of another kind, such as an API key. */
export function readServiceAccount(credential: string): ServiceAccount | undefined {
  const account = parseRecord(credential);
  const clientEmail = textOf(account, "client_email");
  const privateKey = textOf(account, "private_key");
  if (clientEmail === "" || privateKey === "") return undefined;
  return {
    clientEmail,
    privateKey,
    privateKeyId: textOf(account, "private_key_id"),
    projectId: textOf(account, "project_id"),
    tokenUri: textOf(account, "token_uri") || googleTokenUri,
  };
}

function parseRecord(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!text.trimStart().startsWith("{")) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function textOf(record: Readonly<Record<string, unknown>> | undefined, name: string): string {
  const value = record?.[name];
  return typeof value === "string" ? value : "";
}
