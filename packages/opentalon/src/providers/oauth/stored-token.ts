import { randomUUID } from "node:crypto";
import { createPassingSecret } from "../../base/secret.ts";
import type { Secret } from "../../base/secret.ts";
import { isRecord } from "../wire/classify-failure.ts";
import { isToken } from "./oauth-fetch.ts";
import type { Grant } from "./oauth-options.ts";

/** What is kept of one sign-in. */
export interface StoredToken {
  /** Different for every sign-in, the same over all its refreshes. */
  readonly login: string;
  /** Fingerprint of where the token comes from and where it is sent; it is used nowhere else. */
  readonly address: string;
  readonly accessToken: Secret;
  readonly refreshToken: Secret | undefined;
  readonly obtainedAtMs: number;
  /** `undefined` when the server did not say. */
  readonly expiresAtMs: number | undefined;
  /** Why it is not used any more until somebody signs in; empty while it is good. */
  readonly refusal: string;
}

/** By provider. */
export type StoredTokens = ReadonlyMap<string, StoredToken>;

/** A sign-in as it is after this grant; a refresh that brings no new refresh token keeps the old one. */
export function toStoredToken(
  { accessToken, refreshToken, lifetimeMs }: Grant,
  address: string,
  nowMs: number,
  before?: StoredToken,
): StoredToken {
  return {
    login: before?.login ?? randomUUID(),
    address,
    accessToken,
    refreshToken: refreshToken ?? before?.refreshToken,
    obtainedAtMs: nowMs,
    expiresAtMs: lifetimeMs === undefined ? undefined : nowMs + lifetimeMs,
    refusal: "",
  };
}

const version = 1;

/** The text of the file: the one place where tokens are written down. */
export function toTokenText(tokens: StoredTokens): string {
  const entries = [...tokens].map(([provider, token]) => {
    const { accessToken, refreshToken, ...rest } = token;
    const written: Record<string, unknown> = {
      ...rest,
      accessToken: accessToken.reveal(),
      refreshToken: refreshToken?.reveal(),
    };
    return [provider, written] as const;
  });
  return `${JSON.stringify({ version, tokens: Object.fromEntries(entries) }, null, 2)}\n`;
}

/** @throws Error when the text is none of ours; its message quotes nothing. */
export function parseTokenText(text: string): StoredTokens {
  const whole = parseJson(text);
  const tokens = isRecord(whole) && whole["version"] === version ? whole["tokens"] : undefined;
  if (!isRecord(tokens)) throw new Error("it does not hold what OpenTalon writes there");
  return new Map(
    Object.entries(tokens).map(([provider, value]) => [provider, parseToken(provider, value)]),
  );
}

function parseToken(provider: string, value: unknown): StoredToken {
  const { login, address, accessToken, refreshToken, obtainedAtMs, expiresAtMs, refusal } =
    isRecord(value) ? value : {};
  if (
    typeof login !== "string" ||
    typeof address !== "string" ||
    typeof accessToken !== "string" ||
    !isToken(accessToken) ||
    !(refreshToken === undefined || (typeof refreshToken === "string" && isToken(refreshToken))) ||
    typeof obtainedAtMs !== "number" ||
    !(expiresAtMs === undefined || typeof expiresAtMs === "number") ||
    typeof refusal !== "string"
  ) {
    throw new Error(`its entry for provider ${JSON.stringify(provider)} is damaged`);
  }
  return {
    login,
    address,
    accessToken: createPassingSecret(accessToken),
    refreshToken: refreshToken === undefined ? undefined : createPassingSecret(refreshToken),
    obtainedAtMs,
    expiresAtMs,
    refusal,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
