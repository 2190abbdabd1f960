import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import type { Secret } from "../base/secret.ts";

export interface SignedRequest {
  readonly body: Uint8Array;
  /** `sha256=<hex>` or bare hex; `undefined` when the request carries none. */
  readonly signature: string | undefined;
  /** Unix seconds as text; when present the signature covers `<timestamp>.<body>`. */
  readonly timestamp: string | undefined;
}

/** Proof that a webhook's body comes from somebody who knows the secret: HMAC-SHA256 over the raw bytes. */
export interface WebhookSigner {
  /** `sha256=<hex>` over the body, or over `<timestamp>.<body>`. */
  readonly sign: (body: Uint8Array, timestamp?: string) => string;
  /** What is wrong with the request, in words for its sender; `undefined` when it is genuine. */
  readonly findProblem: (request: SignedRequest, nowMs: number) => string | undefined;
}

/** How far a timestamp may be off. */
export const toleranceMs = 5 * 60_000;

export function createWebhookSigner(secret: Secret): WebhookSigner {
  const key = createSecretKey(Buffer.from(secret.reveal(), "utf8"));
  return {
    sign: (body, timestamp) => {
      const hmac = createHmac("sha256", key);
      if (timestamp !== undefined) hmac.update(`${timestamp}.`);
      return `sha256=${hmac.update(body).digest("hex")}`;
    },
    findProblem: ({ body, signature, timestamp }, nowMs) => {
      const hex = /^(?:sha256=)?([0-9a-f]{64})$/i.exec(signature?.trim() ?? "")?.[1];
      if (hex === undefined) {
        return "send `X-OpenTalon-Signature: sha256=<hex HMAC-SHA256 of the body>`";
      }
      const hmac = createHmac("sha256", key);
      if (timestamp !== undefined) {
        const isNumber = /^\d{1,12}$/.test(timestamp);
        if (!isNumber || Math.abs(Number(timestamp) * 1_000 - nowMs) > toleranceMs) {
          return "`X-OpenTalon-Timestamp` must be the current time in unix seconds";
        }
        hmac.update(`${timestamp}.`);
      }
      const expected = hmac.update(body).digest();
      if (timingSafeEqual(expected, Buffer.from(hex, "hex"))) return undefined;
      return "the signature does not fit the body and the secret";
    },
  };
}
