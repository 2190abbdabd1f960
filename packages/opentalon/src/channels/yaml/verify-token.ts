import { createPublicKey, type KeyObject, verify } from "node:crypto";
import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import { isLoopbackUrl } from "../../base/loopback-url.ts";
import type { CallerCheck } from "./caller-check.ts";
import type { WebhookRules } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import { checkAnswer, type HttpCaller, parseAnswer } from "./http-call.ts";
import { renderText, type Scope } from "./template.ts";

/** Checks the `Authorization` header of a webhook call. Never rejects. */
export type VerifyToken = (authorization: string | undefined) => Promise<CallerCheck>;

export interface VerifyTokenOptions {
  readonly rules: NonNullable<WebhookRules["jwt"]>;
  readonly scope: Scope;
  readonly caller: HttpCaller;
  readonly clock: Clock;
}

const keysLifetimeMs = 24 * 3_600_000;
/** Tokens with made-up key ids must not turn into a flood of questions. */
const leastBetweenLoadsMs = 5 * 60_000;
const clockSkewMs = 5 * 60_000;
const maxTokenLength = 16_384;
const leastKeyBits = 2_048;

interface KnownKeys {
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly issuer: string;
  readonly loadedAtMs: number;
}

/** RS256 tokens, checked with the keys an OIDC document leads to. */
export function createVerifyToken({
  rules,
  scope,
  caller,
  clock,
}: VerifyTokenOptions): VerifyToken {
  const audience = renderText(rules.audience, scope);
  const issuer = renderText(rules.issuer, scope);
  let known: KnownKeys | undefined;
  let loading: Promise<KnownKeys> | undefined;
  let triedAtMs = Number.NEGATIVE_INFINITY;

  const loadJson = async (place: string, url: URL): Promise<unknown> => {
    const request = {
      place,
      method: "GET",
      url,
      isOriginFromData: false,
      headers: {},
      body: undefined,
    };
    const result = await caller.call(request, { maxBytes: 1_048_576, timeoutMs: 10_000 });
    checkAnswer(request, result, clock);
    return parseAnswer(result);
  };

  const loadKeys = async (): Promise<KnownKeys> => {
    triedAtMs = clock.now();
    const endpoint = URL.parse(renderText(rules.oidcEndpoint, scope));
    if (endpoint === null || !isSafe(endpoint))
      throw new Error("oidc_endpoint must be an https address");
    const document = await loadJson("oidc_endpoint", endpoint);
    const address = URL.parse(toText(findField(document, "jwks_uri")));
    if (address === null || !isSafe(address))
      throw new Error("the OIDC document has no https jwks_uri");
    const list = findField(await loadJson("jwks_uri", address), "keys");
    const keys = new Map<string, KeyObject>();
    for (const jwk of Array.isArray(list) ? list.slice(0, 100) : []) {
      const key = toKey(jwk);
      if (key !== undefined) keys.set(toText(findField(jwk, "kid")), key);
    }
    return { keys, issuer: toText(findField(document, "issuer")), loadedAtMs: clock.now() };
  };

  const refresh = (): Promise<KnownKeys> => {
    loading ??= loadKeys()
      .then((loaded) => (known = loaded))
      .finally(() => {
        loading = undefined;
      });
    return loading;
  };

  const findKeys = async (keyId: string): Promise<KnownKeys> => {
    const nowMs = clock.now();
    if (known === undefined) return refresh();
    const isOld = nowMs - known.loadedAtMs >= keysLifetimeMs;
    const mayAsk = nowMs - triedAtMs >= leastBetweenLoadsMs;
    if ((isOld || !known.keys.has(keyId)) && mayAsk) {
      // Old keys are better than none while the new ones cannot be had.
      return refresh().catch(() => known ?? refresh());
    }
    return known;
  };

  return async (authorization) => {
    const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization ?? "")?.[1];
    if (token === undefined || token.length > maxTokenLength)
      return stranger("send a token as `Authorization: Bearer <token>`");
    if (audience === "") return stranger("there is no audience to check with");
    const [head = "", payload = "", signature = ""] = token.split(".");
    const header = parsePart(head);
    const claims = parsePart(payload);
    if (header === undefined || claims === undefined) return stranger("the token is none");
    if (header["alg"] !== "RS256") return stranger("the token must be signed with RS256");
    const keyId = toText(header["kid"]);
    let keys: KnownKeys;
    try {
      keys = await findKeys(keyId);
    } catch (error) {
      return {
        kind: "undecided",
        problem: `the keys to check tokens with cannot be had: ${toMessage(error)}`,
      };
    }
    const key = keys.keys.get(keyId);
    if (key === undefined) return stranger("the token is signed with an unknown key");
    const isSigned = verify(
      "RSA-SHA256",
      Buffer.from(`${head}.${payload}`),
      key,
      Buffer.from(signature, "base64url"),
    );
    if (!isSigned) return stranger("the token's signature is wrong");
    const problem = findClaimProblem(claims, audience, [issuer, keys.issuer], clock.now());
    return problem === undefined ? { kind: "genuine", claims } : stranger(problem);
  };
}

function findClaimProblem(
  claims: Readonly<Record<string, unknown>>,
  audience: string,
  /** What the definition says, and what the document says that the keys come from. */
  issuers: readonly string[],
  nowMs: number,
): string | undefined {
  const { aud, iss, exp, nbf } = claims;
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(audience)) return "the token is for somebody else";
  if (typeof iss !== "string" || iss === "" || !issuers.includes(iss))
    return "the token is from somebody else";
  if (typeof exp !== "number" || exp * 1_000 + clockSkewMs <= nowMs) return "the token has expired";
  if (nbf !== undefined && (typeof nbf !== "number" || nbf * 1_000 - clockSkewMs > nowMs)) {
    return "the token is not valid yet";
  }
  return undefined;
}

function parsePart(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function toKey(jwk: unknown): KeyObject | undefined {
  if (findField(jwk, "kty") !== "RSA") return undefined;
  try {
    const parts = { kty: "RSA", n: toText(findField(jwk, "n")), e: toText(findField(jwk, "e")) };
    const key = createPublicKey({ key: parts, format: "jwk" });
    return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= leastKeyBits ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Nobody can put keys of his own in the way. */
function isSafe(url: URL): boolean {
  return url.protocol === "https:" || isLoopbackUrl(url.href);
}

function stranger(problem: string): CallerCheck {
  return { kind: "stranger", problem };
}
