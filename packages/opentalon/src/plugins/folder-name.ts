import { createHash } from "node:crypto";

/** Most systems take 255 bytes; endings may be added. */
const maxLength = 200;

/** Never part of an encoded text without two digits behind it. */
const ofEmptyKey = "%";

/** A key of the configuration, which may hold anything, as the name of one folder that is not hidden. */
export function toFolderName(key: string): string {
  // Nothing would name the folder that holds all others.
  if (key === "") return ofEmptyKey;
  const name = encodeURIComponent(key.toWellFormed()).replaceAll(".", "%2E");
  if (name.length <= maxLength) return name;
  return `${name.slice(0, 100)}-${createHash("sha256").update(key).digest("hex")}`;
}
