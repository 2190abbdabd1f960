import * as z from "zod/mini";
import { parseDuration } from "../base/duration.ts";
import { createSecret, type Secret } from "../base/secret.ts";
import { isCredentialName } from "./credential-name.ts";
import type {
  Expansion,
  Key,
  KeyShape,
  KeyUnit,
  OpaqueValue,
  SectionOutput,
  Tree,
  UnsetValue,
  WhenRead,
} from "./key.ts";
import {
  createNamedSchema,
  createOpaqueSchema,
  createSectionSchema,
  createSettingsSchema,
  toDefaults,
  withoutPrototype,
} from "./map-schemas.ts";

interface Common {
  readonly about: string;
  readonly expands?: Expansion;
  readonly formerly?: readonly string[];
  readonly hidden?: boolean;
}

type Kind<Output> = Pick<Key<Output>, "schema">;

// Making hundreds of schemas would be felt at every start: each is made when a file first needs it, and keys of one
// kind share theirs.
function createKind<Output>(create: () => z.ZodMiniType<Output>): Kind<Output> {
  let schema: z.ZodMiniType<Output> | undefined;
  return { schema: () => (schema ??= create()) };
}

const textKind = createKind<string>(() => z.string());
const flagKind = createKind<boolean>(() => z.boolean());
const secretKind = createKind<Secret>(() => z.pipe(z.string(), z.transform(createSecret)));
const numberKind = createKind<number>(() => z.number().check(z.nonnegative()));
const wholeKind = createKind<number>(() => z.int().check(z.gte(0)));
const positiveKind = createKind<number>(() => z.int().check(z.gte(1)));
const addressKind = createKind<string>(() =>
  z.string().check(z.regex(/^(?:\[[0-9a-fA-F:.]+\]|[^:\s/]*):\d{1,5}$/)),
);
const durationKind = createKind<number>(() =>
  z.pipe(
    z.string().check(z.refine((text) => (parseDuration(text) ?? -1) >= 0)),
    z.transform((text: string) => parseDuration(text) ?? 0),
  ),
);

const scalarShapes = {
  text: { kind: "scalar", type: "text", synonyms: {} },
  flag: { kind: "scalar", type: "flag", synonyms: {} },
  number: { kind: "scalar", type: "number", synonyms: {} },
} as const satisfies Record<string, KeyShape>;

function createKey<Output, Unit extends KeyUnit>(
  common: Common,
  rest: Kind<Output> &
    Pick<Key<Output, Unit>, "type" | "expected" | "fallback" | "unit" | "shape"> &
    Partial<Pick<Key, "written" | "secret" | "path">>,
): Key<Output, Unit> {
  const { about, expands = "none", formerly = [], hidden = false } = common;
  return {
    written: undefined,
    secret: false,
    path: "no",
    ...rest,
    about,
    expands,
    formerly,
    hidden,
  };
}

/** Any text; empty when absent. Numbers and words such as `true` are taken as they are written. */
export function text(
  common: Common & { readonly default?: string; readonly example?: string },
): Key<string, ""> {
  const { default: written, example } = common;
  return createKey(common, {
    ...textKind,
    type: "text",
    expected: example === undefined ? "a text" : `a text, for example ${example}`,
    fallback: () => written ?? "",
    written,
    unit: "",
    shape: scalarShapes.text,
  });
}

/** A file or directory. `data` stays beside the configuration file, whether it exists or not. */
export function path(
  common: Common & { readonly default?: string; readonly place?: "data" | "file" },
): Key<string, ""> {
  const { place = "file" } = common;
  return { ...text(common), type: "path", expected: "a path", path: place };
}

/** `host:port`. */
export function address(common: Common & { readonly default: string }): Key<string, ""> {
  return {
    ...text(common),
    ...addressKind,
    type: "host:port",
    expected: "an address as host:port, for example 127.0.0.1:3978",
  };
}

/** A credential: never shown, never logged. */
export function secret(common: Common): Key<Secret | undefined, ""> {
  return createKey<Secret | undefined, "">(common, {
    ...secretKind,
    type: "text",
    expected: "a text",
    fallback: () => undefined,
    unit: "",
    secret: true,
    shape: scalarShapes.text,
  });
}

/** A credential inside a list or a map. */
export function secretItem(common: Common): Key<Secret, ""> {
  return { ...secret(common), ...secretKind, fallback: () => createSecret("") };
}

/** One `NAME=value` of an environment; the value may be a credential. */
export function assignment(
  common: Common,
): Key<{ readonly name: string; readonly value: string | Secret }, ""> {
  const split = (written: string) => {
    const end = written.indexOf("=");
    const name = written.slice(0, end);
    const value = written.slice(end + 1);
    // Everything treated as a credential would be blanked wherever it occurs: a region, a path, a word.
    return { name, value: isCredentialName(name) ? createSecret(value) : value };
  };
  return createKey<ReturnType<typeof split>, "">(common, {
    ...createKind(() => z.pipe(z.string().check(z.regex(/^[A-Za-z_]\w*=/)), z.transform(split))),
    type: "NAME=value",
    expected: "a text of the form NAME=value",
    fallback: () => ({ name: "", value: "" }),
    unit: "",
    secret: true,
    shape: scalarShapes.text,
  });
}

export function flag(common: Common & { readonly default: boolean }): Key<boolean, ""> {
  const { default: written } = common;
  return createKey(common, {
    ...flagKind,
    type: "true / false",
    expected: "true or false",
    fallback: () => written,
    written,
    unit: "",
    shape: scalarShapes.flag,
  });
}

/** A whole number, 0 or more (or 1 or more with `least: 1`). */
export function whole(
  common: Common & { readonly default: number; readonly least?: 0 | 1 },
): Key<number, ""> {
  const { default: written, least = 0 } = common;
  return createKey(common, {
    ...(least === 0 ? wholeKind : positiveKind),
    type: "whole number",
    expected: `a whole number, ${least} or more`,
    fallback: () => written,
    written,
    unit: "",
    shape: scalarShapes.number,
  });
}

/** A whole number that may be absent. */
export function optionalWhole(
  common: Common & { readonly least?: 0 | 1 },
): Key<number | undefined, ""> {
  return { ...whole({ ...common, default: 0 }), fallback: () => undefined, written: undefined };
}

/** A number, 0 or more. */
export function number(common: Common & { readonly default: number }): Key<number, ""> {
  const { default: written } = common;
  return createKey(common, {
    ...numberKind,
    type: "number",
    expected: "a number, 0 or more",
    fallback: () => written,
    written,
    unit: "",
    shape: scalarShapes.number,
  });
}

/** A number, 0 or more, that may be absent. */
export function optionalNumber(common: Common): Key<number | undefined, ""> {
  return { ...number({ ...common, default: 0 }), fallback: () => undefined, written: undefined };
}

const durationWords = "a duration such as 500ms, 30s, 5m or 1h30m";

/** A duration as Go writes it; milliseconds in code. */
export function duration(common: Common & { readonly default: string }): Key<number, "Ms"> {
  const { default: written } = common;
  return createKey(common, {
    ...durationKind,
    type: "duration",
    expected: durationWords,
    fallback: () => parseDuration(written) ?? 0,
    written,
    unit: "Ms",
    shape: scalarShapes.text,
  });
}

/** A duration that may be absent. */
export function optionalDuration(common: Common): Key<number | undefined, "Ms"> {
  return {
    ...duration({ ...common, default: "0" }),
    fallback: () => undefined,
    written: undefined,
  };
}

/** One of a few words; upper and lower case are the same. */
export function choice<const Word extends string>(
  common: Common & {
    readonly words: readonly Word[];
    readonly default: NoInfer<Word>;
    readonly synonyms?: Readonly<Record<string, NoInfer<Word>>>;
  },
): Key<Word, ""> {
  const { words, default: written, synonyms = {} } = common;
  return createKey<Word, "">(common, {
    ...createKind(() => z.enum(words) as unknown as z.ZodMiniType<Word>),
    type: words.filter((word) => word !== "").join(" / "),
    expected: `one of ${words.filter((word) => word !== "").join(", ")}`,
    fallback: () => written,
    written,
    unit: "",
    shape: {
      kind: "scalar",
      type: "text",
      synonyms: { ...Object.fromEntries(words.map((word) => [word, word])), ...synonyms },
    },
  });
}

/** A list; empty when absent. */
export function list<Item>(
  common: Common & { readonly item: Key<Item>; readonly orText?: boolean },
): Key<readonly Item[], ""> {
  const { item, orText = false } = common;
  const plural = item.type === "map" ? "maps" : `${item.type} values`;
  const expected = `a list of ${plural}`;
  return createKey<readonly Item[], "">(common, {
    ...createKind<readonly Item[]>(() => z.array(item.schema())),
    type: orText ? `${item.type}, or list of ${plural}` : `list of ${plural}`,
    expected: orText ? `a text or ${expected}` : expected,
    fallback: () => [],
    unit: "",
    secret: item.secret,
    path: item.path,
    shape: { kind: "list", item, orText },
  });
}

/** A map whose keys are names people choose; empty when absent. */
export function named<Value>(
  common: Common & { readonly value: Key<Value>; readonly knownNames?: readonly string[] },
): Key<Readonly<Record<string, Value>>, ""> {
  const { value, knownNames } = common;
  return createKey<Readonly<Record<string, Value>>, "">(common, {
    ...createKind<Readonly<Record<string, Value>>>(() => createNamedSchema(value)),
    type: `map of names to ${value.type === "map" ? "maps" : value.type}`,
    expected: "a map whose keys are names",
    fallback: () => withoutPrototype<Value>({}),
    unit: "",
    secret: value.secret,
    shape: { kind: "named", value, reserved: {}, knownNames },
  });
}

/** A block the core hands on without looking inside. Texts that came out of `${NAME}` are secrets. */
export function opaque(common: Common): Key<Readonly<Record<string, OpaqueValue>>, ""> {
  return createKey<Readonly<Record<string, OpaqueValue>>, "">(
    { ...common, expands: "braces" },
    {
      ...createKind(createOpaqueSchema),
      type: "map",
      expected: "a map",
      fallback: () => withoutPrototype<OpaqueValue>({}),
      unit: "",
      shape: { kind: "opaque" },
    },
  );
}

interface SectionOptions<Keys extends Readonly<Record<string, Key>>> {
  readonly about: string;
  readonly keys: Keys;
  readonly textAs?: keyof Keys & string;
  readonly isActive?: (tree: Tree) => boolean;
  readonly whenUnset?: (tree: Tree, unset: readonly UnsetValue[]) => void;
  readonly whenRead?: WhenRead;
}

/** A map with fixed keys; filled with defaults when absent. */
export function section<Keys extends Readonly<Record<string, Key>>>(
  options: SectionOptions<Keys>,
): Key<SectionOutput<Keys>, ""> {
  return sectionAs(options, (output) => output);
}

/** A section that is given its final form by `convert`. */
export function sectionAs<Keys extends Readonly<Record<string, Key>>, Final>(
  options: SectionOptions<Keys>,
  convert: (output: SectionOutput<Keys>) => Final,
): Key<Final, ""> {
  const { about, keys, textAs, whenUnset, whenRead, isActive = toActivity(keys) } = options;
  return createKey<Final, "">(
    { about },
    {
      ...createKind<Final>(() => createSectionSchema(keys, convert)),
      type: "map",
      expected: textAs === undefined ? "a map" : "a text or a map",
      fallback: () => convert(toDefaults(keys)),
      unit: "",
      shape: { kind: "section", keys, textAs, isActive, whenUnset, whenRead },
    },
  );
}

/** A map of named entries in which a few names are reserved for settings of all. */
export function namedWithSettings<Value, Settings extends Readonly<Record<string, Key>>>(
  common: Common & { readonly value: Key<Value>; readonly settings: Settings },
): Key<
  { readonly entries: Readonly<Record<string, Value>>; readonly settings: SectionOutput<Settings> },
  ""
> {
  const { value, settings } = common;
  return createKey(common, {
    ...createKind(() => createSettingsSchema(value, settings)),
    type: "map of names to maps",
    expected: "a map whose keys are names",
    fallback: () => ({ entries: withoutPrototype<Value>({}), settings: toDefaults(settings) }),
    unit: "",
    shape: { kind: "named", value, reserved: settings, knownNames: undefined },
  });
}

function toActivity(keys: Readonly<Record<string, Key>>): (tree: Tree) => boolean {
  const { enabled } = keys;
  return enabled === undefined
    ? () => true
    : (tree) => (tree["enabled"] ?? enabled.written) === true;
}
