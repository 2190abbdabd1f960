import { createHash } from "node:crypto";

/** Most systems take 255 bytes; endings are added. */
const maxLength = 200;

/** A name for a file or folder of this key, which may hold anything: no other key has it, and it names nothing else. */
export function toFileName(key: string): string {
  const name = encodeURIComponent(key.toWellFormed()).replaceAll(".", "%2E");
  if (name.length <= maxLength) return name;
  return `${name.slice(0, 100)}-${createHash("sha256").update(key).digest("hex")}`;
}
