import { createHash } from "node:crypto";

/**
 * A transaction id made of what makes a request the only one of its kind. Homeservers answer a transaction of a device that
 * they have seen with the event it made then, instead of making another one.
 */
export function toTransactionId(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 32);
}
