/** Reading what a homeserver, and behind it anybody, wrote: nothing has to be there, nothing has to be of its type. */

export type JsonObject = Readonly<Record<string, unknown>>;

const nothing: JsonObject = {};

/** The object, or an empty one. */
export function toObject(value: unknown): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : nothing;
}

/** The text, or an empty one. */
export function toText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The list, or an empty one. */
export function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The number, or `undefined` when it is none a length or a time could be. */
export function toCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** The member of an object; only its own, so that a name somebody made up finds nothing inherited. */
export function member(value: unknown, name: string): unknown {
  const object = toObject(value);
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
