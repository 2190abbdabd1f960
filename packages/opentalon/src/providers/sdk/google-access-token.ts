import { createSign } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { toCount } from "../../base/count.ts";
import { createPassingSecret } from "../../base/secret.ts";
import { findComplaint, isRecord, quote, toFailure } from "../wire/classify-failure.ts";
import type { FailureContext } from "../wire/classify-failure.ts";
import type { ServiceAccount } from "../credentials/cloud-credentials.ts";
import { collect, send } from "./sdk-fetch.ts";
import { parseJson } from "./sdk-failure.ts";

export interface TokenRequest {
  readonly account: ServiceAccount;
  readonly context: FailureContext;
  readonly signal: AbortSignal | undefined;
}

/** Access tokens of service accounts, kept until shortly before they expire. */
export interface AccessTokens {
  /** Calls side by side ask for a token once. @throws ProviderError */
  readonly take: (request: TokenRequest) => Promise<string>;
  /** The next call asks for another token: this one was refused. */
  readonly forget: (account: ServiceAccount) => void;
}

interface KeptToken {
  readonly token: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

const scope = "https://www.googleapis.com/auth/cloud-platform";
const lifeSeconds = 3_600;
const marginMs = 300_000;
const timeoutMs = 15_000;
const maxAnswerBytes = 64 * 1024;
const maxKept = 100;

export function createAccessTokens({ clock }: { readonly clock: Clock }): AccessTokens {
  const kept = new Map<string, KeptToken>();
  const asking = new Map<string, Promise<string>>();

  const ask = async (
    account: ServiceAccount,
    context: FailureContext,
    name: string,
  ): Promise<string> => {
    const answer = await exchange(account, context, clock);
    if (kept.size >= maxKept) kept.clear();
    const fromMs = clock.now();
    kept.set(name, { token: answer.token, fromMs, untilMs: fromMs + answer.lifeMs - marginMs });
    return answer.token;
  };

  /** After the clock was set back nobody knows when a token ends. */
  const isGood = ({ fromMs, untilMs }: KeptToken, nowMs: number): boolean =>
    fromMs <= nowMs && nowMs < untilMs;

  return {
    take: async ({ account, context, signal }) => {
      signal?.throwIfAborted();
      const name = toName(account);
      const known = kept.get(name);
      if (known !== undefined && isGood(known, clock.now())) return known.token;
      const open =
        asking.get(name) ?? ask(account, context, name).finally(() => asking.delete(name));
      asking.set(name, open);
      const token = await open;
      signal?.throwIfAborted();
      return token;
    },
    forget: (account) => void kept.delete(toName(account)),
  };
}

function toName({ clientEmail, privateKeyId, tokenUri }: ServiceAccount): string {
  return `${clientEmail} ${privateKeyId} ${tokenUri}`;
}

async function exchange(
  account: ServiceAccount,
  context: FailureContext,
  clock: Clock,
): Promise<{ readonly token: string; readonly lifeMs: number }> {
  const assertion = sign(account, clock.now());
  if (assertion === undefined) {
    const what = "the private key in credentials_file cannot be read";
    throw toFailure(context, "unauthorized", what);
  }
  const abort = new AbortController();
  const late = toFailure(context, "timed-out", "the token of the service account took too long");
  const stopWaiting = clock.after(timeoutMs, () => abort.abort(late));
  try {
    const grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    const response = await send(
      account.tokenUri,
      {
        method: "POST",
        body: new URLSearchParams({ grant_type: grant, assertion }).toString(),
        headers: { "content-type": "application/x-www-form-urlencoded" },
        redirect: "manual",
        signal: abort.signal,
      },
      context,
    );
    const text = await collect(response, maxAnswerBytes, context);
    const body = parseJson(text);
    if (isRecord(body) && response.ok && typeof body["access_token"] === "string") {
      const life = toCount(Number(body["expires_in"] ?? lifeSeconds));
      const token = createPassingSecret(body["access_token"]).reveal();
      return { token, lifeMs: life * 1_000 };
    }
    const said = isRecord(body) ? body["error_description"] : undefined;
    const words = typeof said === "string" ? said : (findComplaint(body)?.message ?? text);
    const what = `the service account was refused a token (HTTP ${response.status}): ${quote(words, context.credential)}`;
    if (response.status >= 500) throw toFailure(context, "overloaded", what);
    if (response.status === 429) throw toFailure(context, "rate-limited", what);
    // It may be the clock of this machine that is wrong: the account rests, as after a 403, and is not out for good.
    throw toFailure(context, "unauthorized", what, { status: 403 });
  } finally {
    stopWaiting();
  }
}

function sign(account: ServiceAccount, nowMs: number): string | undefined {
  const { clientEmail, privateKey, privateKeyId, tokenUri } = account;
  const issuedAt = Math.floor(nowMs / 1_000);
  const header = { alg: "RS256", typ: "JWT", kid: privateKeyId };
  const claims = {
    iss: clientEmail,
    scope,
    aud: tokenUri,
    iat: issuedAt,
    exp: issuedAt + lifeSeconds,
  };
  const content = [header, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  try {
    return `${content}.${createSign("RSA-SHA256").update(content).sign(privateKey, "base64url")}`;
  } catch {
    return undefined;
  }
}
