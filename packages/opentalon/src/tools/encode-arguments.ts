/** `native`: the model called over its provider's tool calls. `text`: the call was written in its reply. */
export type ArgumentEncoding = "native" | "text";

/**
 * A call's arguments as plugins get them: every value as text.
 *
 * - text as it is (half characters become U+FFFD);
 * - numbers in plain decimal notation, as short as they can be without losing a digit: `1e21` is
 *   `1000000000000000000000`, `1e-7` is `0.0000001`;
 * - `true` and `false` by name;
 * - objects and arrays as compact JSON;
 * - `null` and what JSON has no word for is left out; in `text` encoding so are `0` and `false`.
 */
export function encodeArguments(
  values: Readonly<Record<string, unknown>>,
  encoding: ArgumentEncoding,
): Record<string, string> {
  const encoded: [string, string][] = [];
  for (const [name, value] of Object.entries(values)) {
    if (encoding === "text" && (value === 0 || value === 0n || value === false)) continue;
    const text = encodeValue(value);
    if (text !== undefined) encoded.push([name.toWellFormed(), text]);
  }
  return Object.fromEntries(encoded);
}

/** One value; `undefined` when it has no text. */
export function encodeValue(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return value.toWellFormed();
    case "number":
      return Number.isFinite(value) ? toPlainDecimal(value) : undefined;
    case "bigint":
    case "boolean":
      return String(value);
    case "object":
      return value === null ? undefined : toCompactJson(value);
    default:
      return undefined;
  }
}

/** JavaScript's shortest digits, without its exponent. */
function toPlainDecimal(value: number): string {
  const text = String(value === 0 ? 0 : value);
  const [, sign = "", whole = "", fraction = "", exponent] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(text) ?? [];
  if (exponent === undefined) return text;
  const shift = Number(exponent);
  if (shift > 0) return `${sign}${whole}${fraction.padEnd(shift, "0")}`;
  return `${sign}0.${"0".repeat(-shift - 1)}${whole}${fraction}`;
}

const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

function toCompactJson(value: object): string | undefined {
  const text = JSON.stringify(value, (_, part: unknown) =>
    typeof part === "bigint" ? rawJSON(String(part)) : part,
  );
  return (text as string | undefined)?.toWellFormed();
}
