/**
 * Arguments as plugins get them, which is what the host makes of a model's call: texts as they are, numbers in decimal,
 * `true` and `false`, objects and lists as JSON; `null` and `undefined` are left out.
 */
export function toArgumentTexts(
  args: Readonly<Record<string, unknown>>,
): Readonly<Record<string, string>> {
  const texts: [string, string][] = [];
  for (const [name, value] of Object.entries(args)) {
    if (value === null || value === undefined) continue;
    texts.push([name, typeof value === "string" ? value.toWellFormed() : toText(value)]);
  }
  return Object.fromEntries(texts);
}

function toText(value: unknown): string {
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value).toString();
  return typeof value === "bigint" ? value.toString() : JSON.stringify(value);
}
