import type { Clock } from "../base/clock.ts";
import { toleranceMs } from "./webhook-signature.ts";

export type Claim =
  | { readonly kind: "granted" }
  /** The same signed bytes came under another name. */
  | { readonly kind: "taken" }
  /** It cannot be known whether they have. */
  | { readonly kind: "unknown"; readonly retryAfterMs: number };

/**
 * Binds names that no signature covers to the signed bytes they came with, for as long as the bytes are valid: whoever
 * recorded a request cannot send it again under a name of its own.
 */
export interface SignatureClaims {
  /** `signature` covers the timestamp, in unix seconds, too. */
  readonly claim: (signature: string, timestamp: string, name: string) => Claim;
}

const maxClaims = 20_000;

/** What was signed before now is not known, so it is not granted. */
export function createSignatureClaims(clock: Clock): SignatureClaims {
  const startedAtMs = clock.now();
  const claims = new Map<string, { readonly name: string; readonly untilMs: number }>();

  const forgetOld = (nowMs: number): void => {
    for (const [signature, { untilMs }] of claims) {
      if (untilMs > nowMs) return;
      claims.delete(signature);
    }
  };

  return {
    claim: (signature, timestamp, name) => {
      const nowMs = clock.now();
      forgetOld(nowMs);
      if ((Number(timestamp) + 1) * 1_000 <= startedAtMs)
        return { kind: "unknown", retryAfterMs: 1_000 };
      const key = signature.trim().slice(-64).toLowerCase();
      const known = claims.get(key);
      if (known !== undefined) return { kind: known.name === name ? "granted" : "taken" };
      if (claims.size >= maxClaims) return { kind: "unknown", retryAfterMs: 10_000 };
      claims.set(key, { name, untilMs: nowMs + 2 * toleranceMs + 1_000 });
      return { kind: "granted" };
    },
  };
}
