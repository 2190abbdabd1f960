import { createHash } from "node:crypto";

/** Identifiers of mails as this channel keeps them: without the angle brackets they are written in. */

const longestId = 400;
/** Longer ones, and no more, still fit beside an address into what OpenTalon takes as an identity. */
const longestName = 200;
/** How many mails a mail says it comes after; older ones in between are left out, the first one stays. */
const longestChain = 20;

/** All identifiers a header holds, in order. */
export function parseMessageIds(value: string): readonly string[] {
  const found = value.slice(0, 20_000).matchAll(/<([^<>\s]+)>/g);
  return [...found]
    .map(([, id = ""]) => id)
    .filter((id) => id.length <= longestId && /^[\x21-\x7e]+$/.test(id));
}

/** The same identifier as a name for OpenTalon: itself, or a hash where it is too long. */
export function toName(id: string): string {
  return id.length <= longestName ? id : `sha256-${hash([id])}`;
}

export function hash(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** What a mail comes after, the oldest first. */
export function shortenChain(ids: readonly string[]): readonly string[] {
  const unique = [...new Set(ids)];
  if (unique.length <= longestChain) return unique;
  return [...unique.slice(0, 1), ...unique.slice(1 - longestChain)];
}

/** As it stands in a header. */
export function toHeader(ids: readonly string[]): string {
  return ids.map((id) => `<${id}>`).join(" ");
}
