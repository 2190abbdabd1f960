import { createHash, timingSafeEqual } from "node:crypto";

/** Whether two texts are the same, in a time that tells nothing about either, its length included. */
export function isEqualText(one: string, other: string): boolean {
  return timingSafeEqual(toDigest(one), toDigest(other));
}

function toDigest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
