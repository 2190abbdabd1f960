import type { FileAttachment } from "../../domain/message.ts";
import type { FileRule } from "./definition.ts";

/** The rules that take a file of this type and size: the first one counts, the others when the platform refuses. */
export function findFileRules(
  rules: readonly FileRule[],
  { mimeType, data }: FileAttachment,
): readonly FileRule[] {
  return rules.filter(
    ({ types, maxBytes }) =>
      fitsType(types, mimeType) && (maxBytes === 0 || data.byteLength <= maxBytes),
  );
}

/** Why no rule takes the file, in words for the person. */
export function explainUnsent(
  rules: readonly FileRule[],
  { name, mimeType, data }: FileAttachment,
  platform: string,
): string {
  const what = `The file "${toShownName(name)}" (${toType(mimeType)}, ${toSize(data.byteLength)}) was not sent: `;
  const limits = rules
    .filter(({ types }) => fitsType(types, mimeType))
    .map(({ maxBytes }) => maxBytes);
  if (limits.length > 0)
    return `${what}${platform} takes such files up to ${toSize(Math.max(...limits))}.`;
  const taken = [...new Set(rules.flatMap(({ types }) => types))];
  if (taken.length === 0) return `${what}${platform} is sent no files.`;
  return `${what}${platform} takes only ${taken.join(", ")}.`;
}

/** In words for the person, when the platform refused. */
export function explainRefused({ name, mimeType, data }: FileAttachment, platform: string): string {
  return `The file "${toShownName(name)}" (${toType(mimeType)}, ${toSize(data.byteLength)}) was not sent: ${platform} did not take it.`;
}

function fitsType(types: readonly string[], mimeType: string): boolean {
  const type = toType(mimeType);
  const group = `${type.split("/")[0]}/*`;
  return types.length === 0 || types.includes(type) || types.includes(group);
}

/** Without parameters such as `; codecs=opus`. */
function toType(mimeType: string): string {
  return mimeType.split(";")[0]?.trim().toLowerCase() ?? "";
}

function toSize(bytes: number): string {
  if (bytes >= 1_000_000) return `${Number((bytes / 1_000_000).toFixed(1))} MB`;
  return bytes >= 1_000 ? `${Math.ceil(bytes / 1_000)} KB` : `${bytes} bytes`;
}

/** A name is data as well: nothing in it looks like our words, or like Markdown. */
function toShownName(name: string): string {
  return name
    .replaceAll(/["`*_~<>[\]|\\\p{Cc}\p{Cf}]/gu, " ")
    .slice(0, 100)
    .toWellFormed();
}
