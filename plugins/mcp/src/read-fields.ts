/** Settings as they come from outside, read one by one; what is wrong is said with its place. */
export interface Fields {
  /** How an operator finds it, as in `config.servers[0]`. */
  readonly place: string;
  readonly has: (key: string) => boolean;
  /** All readers throw an Error that names the place when the value is of another kind. */
  readonly text: (key: string, otherwise: string) => string;
  readonly flag: (key: string, otherwise: boolean) => boolean;
  readonly whole: (key: string, otherwise: number, most: number) => number;
  /** `500ms`, `30s`, `5m`, or a number of seconds; in milliseconds. */
  readonly duration: (key: string, otherwiseMs: number, mostMs: number) => number;
  /** One of the words; the first one when absent. */
  readonly word: <const Word extends string>(key: string, words: readonly Word[]) => Word;
  readonly list: (key: string) => readonly unknown[];
  readonly texts: (key: string) => readonly string[];
  readonly map: (key: string) => Readonly<Record<string, string>>;
  readonly section: (key: string) => Fields;
  /** Words about each key that is not known: a misspelt one must not be lost in silence. */
  readonly findOthers: (known: readonly string[]) => readonly string[];
}

const maxItems = 1_000;

/** @throws Error when the value is no object. */
export function readFields(value: unknown, place: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error(`${place} must have settings, as in \`server: files\``);
  const values = new Map<string, unknown>(Object.entries(value));
  const at = (key: string): string => `${place}.${key}`;
  const read = <Value>(
    key: string,
    otherwise: Value,
    parse: (given: unknown) => Value | undefined,
    expected: string,
  ): Value => {
    const given = values.get(key);
    if (given === undefined || given === null) return otherwise;
    const parsed = parse(given);
    if (parsed === undefined) throw new Error(`${at(key)} must be ${expected}`);
    return parsed;
  };
  const list: Fields["list"] = (key) =>
    read<readonly unknown[]>(
      key,
      [],
      (given) => (Array.isArray(given) && given.length <= maxItems ? given : undefined),
      "a list",
    );
  return {
    place,
    has: (key) => values.has(key),
    text: (key, otherwise) => read(key, otherwise, toText, "a text"),
    flag: (key, otherwise) =>
      read(
        key,
        otherwise,
        (given) => (typeof given === "boolean" ? given : undefined),
        "true or false",
      ),
    whole: (key, otherwise, most) =>
      read(
        key,
        otherwise,
        (given) =>
          Number.isSafeInteger(given) && Number(given) >= 0 && Number(given) <= most
            ? Number(given)
            : undefined,
        `a whole number up to ${most}`,
      ),
    duration: (key, otherwiseMs, mostMs) =>
      read(
        key,
        otherwiseMs,
        (given) => {
          const ms = toMilliseconds(given);
          return ms !== undefined && ms <= mostMs ? ms : undefined;
        },
        `a time such as 500ms, 30s or 5m, up to ${mostMs / 1_000}s`,
      ),
    word: (key, words) => {
      const [first] = words;
      if (first === undefined) throw new Error(`${at(key)} has no words`);
      return read(key, first, (given) => words.find((word) => word === given), words.join(" or "));
    },
    list,
    texts: (key) =>
      list(key).map((item, index) => {
        const text = toText(item);
        if (text === undefined) throw new Error(`${at(key)}[${index}] must be a text`);
        return text;
      }),
    map: (key) =>
      read(
        key,
        {},
        (given) => {
          if (typeof given !== "object" || given === null || Array.isArray(given)) return undefined;
          const entries = Object.entries(given).map(
            ([name, item]) => [name, toText(item)] as const,
          );
          const isComplete =
            entries.length <= maxItems && !entries.some(([, item]) => item === undefined);
          return isComplete
            ? (Object.fromEntries(entries) as Readonly<Record<string, string>>)
            : undefined;
        },
        "names with texts",
      ),
    section: (key) => readFields(values.get(key) ?? {}, at(key)),
    findOthers: (known) =>
      [...values.keys()]
        .filter((key) => !known.includes(key))
        .map(
          (key) =>
            `${at(key.slice(0, 100))} is not known; there are ${known.toSorted().join(", ")}`,
        ),
  };
}

/**
 * A text with `{{env.NAME}}` replaced by the plugin's own variable of that name.
 * @throws Error when there is none: a header without its key would only fail later, and less clearly.
 */
export function expandVariables(
  text: string,
  place: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  return text.replaceAll(/\{\{\s*env\.([A-Za-z0-9_]+)\s*\}\}/g, (_whole, name: string) => {
    const value = environment[name];
    if (value !== undefined) return value;
    throw new Error(
      `${place} needs the variable ${name}, which the plugin does not have: give it to the plugin with \`env:\` of its entry`,
    );
  });
}

/** YAML reads some words as numbers. */
function toText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

function toMilliseconds(value: unknown): number | undefined {
  if (typeof value === "number") return value > 0 ? value * 1_000 : undefined;
  if (typeof value !== "string") return undefined;
  const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value.trim()) ?? [];
  const ms = Number(amount) * (unitsMs[unit] ?? Number.NaN);
  return ms > 0 ? ms : undefined;
}
