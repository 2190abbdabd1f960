import { createHash } from "node:crypto";

const maxKeyBytes = 512;
const hashPrefix = "sha256:";

/** Whether both engines keep `text` as it is: PostgreSQL has no U+0000, UTF-8 has no lone surrogates. */
export function isStorableText(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

/** `text` for a text column: U+0000 and lone surrogates become U+FFFD, on both engines. */
export function toStorableText(text: string): string {
  return isStorableText(text) ? text : text.toWellFormed().replaceAll("\0", "\uFFFD");
}

/**
 * `text` for a column that identifies something. Whatever people and platforms send as an identifier must neither
 * collide with another nor break an index, so what is too long or not storable is replaced by its hash.
 */
export function toStorableKey(text: string): string {
  if (text.length * 3 <= maxKeyBytes || Buffer.byteLength(text) <= maxKeyBytes) {
    if (isStorableText(text) && !text.startsWith(hashPrefix)) return text;
  }
  return hashPrefix + createHash("sha256").update(Buffer.from(text, "utf16le")).digest("hex");
}
