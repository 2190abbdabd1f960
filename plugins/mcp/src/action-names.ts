/** Names of actions: `<server>__<tool>`, stable for as long as server and tool keep theirs. */
import { createHash } from "node:crypto";

/** Most letters of `<plugin>__<action>`, as every model provider takes them. */
const maxFullLength = 64;
const maxSlugLength = 32;
const hashLength = 8;

/**
 * A server's name as part of an action's name. It has no `__` and ends in no `_`, so that where it ends in an action's
 * name is never in doubt. Two names may give the same slug.
 */
export function toServerSlug(name: string): string {
  const slug = name.replaceAll(/[^a-zA-Z0-9-]+/g, "_").replaceAll(/^_+|_+$/g, "");
  if (slug === "") return `server-${toHash(name)}`;
  if (slug.length <= maxSlugLength) return slug;
  return `${slug.slice(0, maxSlugLength - hashLength - 1).replace(/_+$/, "")}-${toHash(name)}`;
}

/** Names of the bridge's own actions for each server; a tool of such a name gets another one. */
export const ownActions = [
  "list_resources",
  "read_resource",
  "list_prompts",
  "get_prompt",
  "authorize",
] as const;
export type OwnAction = (typeof ownActions)[number];

/**
 * The action of a tool. A name with other characters, one that is too long and one of the bridge's own is changed and
 * carries a hash of itself, so that no two tools get the same one by accident.
 */
export function toToolAction(plugin: string, slug: string, tool: string): string {
  const prefix = `${slug}__`;
  const room = maxFullLength - plugin.length - 2 - prefix.length;
  const isPlain = /^[a-zA-Z0-9_-]+$/.test(tool) && tool.length <= room;
  if (isPlain && !(ownActions as readonly string[]).includes(tool)) return prefix + tool;
  const readable = tool.replaceAll(/[^a-zA-Z0-9_-]+/g, "_").slice(0, room - hashLength - 1);
  return `${prefix}${readable}-${toHash(tool)}`;
}

export function toOwnAction(slug: string, action: OwnAction): string {
  return `${slug}__${action}`;
}

function toHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, hashLength);
}
