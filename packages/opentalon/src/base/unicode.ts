/** Text as UTF-8 bytes cut to `maxBytes` without splitting a character; well-formed whatever came in. */
export function truncateUtf8(text: string, maxBytes: number): { text: string; truncated: boolean } {
  // Every UTF-16 unit needs at most three bytes, so short texts never need encoding.
  if (text.length * 3 <= maxBytes) return { text: text.toWellFormed(), truncated: false };
  const bytes = Buffer.from(text.slice(0, maxBytes + 1).toWellFormed(), "utf8");
  if (bytes.length <= maxBytes && text.length <= maxBytes)
    return { text: bytes.toString("utf8"), truncated: false };
  let end = Math.min(maxBytes, bytes.length);
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return { text: bytes.subarray(0, end).toString("utf8"), truncated: true };
}
