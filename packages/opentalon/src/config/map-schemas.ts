import * as z from "zod/mini";
import type { Key, OpaqueValue, SectionOutput, Tree } from "./key.ts";

type Keys = Readonly<Record<string, Key>>;

// zod's own objects visit every key they know. A configuration sets a tenth of them, and all of this runs once, at
// start: these schemas visit only what is there and take the rest from the defaults.

/** A map with fixed keys: checked, renamed to camelCase, filled with defaults. Unknown keys are left out. */
export function createSectionSchema<Shape extends Keys, Final>(
  keys: Shape,
  convert: (output: SectionOutput<Shape>) => Final,
): z.ZodMiniType<Final> {
  return createMapSchema((given, check) => {
    const output: Tree = {};
    for (const [name, key] of Object.entries(keys)) {
      output[toOutputName(name, key)] =
        given[name] === undefined ? key.fallback() : check(key, name);
    }
    return () => convert(output as SectionOutput<Shape>);
  });
}

/** A map whose keys are names. */
export function createNamedSchema<Value>(
  value: Key<Value>,
): z.ZodMiniType<Readonly<Record<string, Value>>> {
  return createMapSchema((given, check) => {
    const entries = Object.keys(given).map((name) => [name, check(value, name)] as const);
    return () => withoutPrototype(Object.fromEntries(entries) as Record<string, Value>);
  });
}

/** A map whose keys are names, but for a few that hold settings. */
export function createSettingsSchema<Value, Settings extends Keys>(
  value: Key<Value>,
  settings: Settings,
): z.ZodMiniType<{
  readonly entries: Readonly<Record<string, Value>>;
  readonly settings: SectionOutput<Settings>;
}> {
  const own = createSectionSchema(settings, (output) => output);
  return createMapSchema((given, check) => {
    const names = Object.keys(given).filter((name) => !Object.hasOwn(settings, name));
    const entries = names.map((name) => [name, check(value, name)] as const);
    for (const [name, key] of Object.entries(settings))
      if (given[name] !== undefined) check(key, name);
    return () => ({
      entries: withoutPrototype(Object.fromEntries(entries) as Record<string, Value>),
      settings: z.parse(own, given),
    });
  });
}

/** Any map, as it is. */
export function createOpaqueSchema(): z.ZodMiniType<Readonly<Record<string, OpaqueValue>>> {
  return createMapSchema((given) => () => withoutPrototype(given as Record<string, OpaqueValue>));
}

/** What a section is when the file does not have it. */
export function toDefaults<Shape extends Keys>(keys: Shape): SectionOutput<Shape> {
  const entries = Object.entries(keys).map(([name, key]) => [
    toOutputName(name, key),
    key.fallback(),
  ]);
  return Object.fromEntries(entries) as SectionOutput<Shape>;
}

/** A name such as "constructor" must not find what every object inherits. */
export function withoutPrototype<Value>(
  map: Readonly<Record<string, Value>>,
): Readonly<Record<string, Value>> {
  return Object.assign(Object.create(null) as Record<string, Value>, map);
}

/** Checks the value below `name`; what it returns is worthless when an issue was noted. */
type Check = (key: Key, name: string) => unknown;

/** `read` checks the values and returns how to make the result, which is called only when there was no issue. */
function createMapSchema<Output>(
  read: (given: Tree, check: Check) => () => Output,
): z.ZodMiniType<Output> {
  return z.transform((given: unknown, context): Output => {
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      context.issues.push({ code: "invalid_type", expected: "object", input: given });
      return z.NEVER;
    }
    const map = given as Tree;
    const check: Check = (key, name) => {
      // Compiling a schema pays off for many values; there is one.
      const result = z.safeParse(key.schema(), map[name], { jitless: true });
      if (result.success) return result.data;
      for (const { path, message } of result.error.issues) {
        context.issues.push({ code: "custom", path: [name, ...path], message, input: undefined });
      }
      return undefined;
    };
    const finish = read(map, check);
    return context.issues.length > 0 ? z.NEVER : finish();
  });
}

function toOutputName(name: string, { unit }: Key): string {
  return `${name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())}${unit}`;
}
