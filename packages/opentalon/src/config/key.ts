import type * as z from "zod/mini";
import type { Secret } from "../base/secret.ts";

/** Added to the camelCase name of a duration: `dial_timeout` in YAML is `dialTimeoutMs` in code. */
export type KeyUnit = "" | "Ms";

/** Where `${NAME}` is replaced: never, `${NAME}` only, or as a shell does (`$NAME` too, unset is empty). */
export type Expansion = "none" | "braces" | "shell";

/** What a path leads to, which decides how a relative one is resolved. */
export type PathKind = "no" | "data" | "file" | "program" | "channel";

/** A map as it is known before validation; keys are the YAML's. */
export type Tree = Record<string, unknown>;

/** What a value is made of; the reader, the redaction and the reference page walk along it. */
export type KeyShape =
  | {
      readonly kind: "scalar";
      readonly type: "text" | "flag" | "number";
      readonly synonyms: Readonly<Record<string, string>>;
    }
  | SectionShape
  | NamedShape
  | {
      readonly kind: "list";
      readonly item: Key;
      /** A lone text stands for a list of one. */
      readonly orText: boolean;
    }
  | { readonly kind: "opaque" };

export interface SectionShape {
  readonly kind: "section";
  readonly keys: Readonly<Record<string, Key>>;
  /** A lone text stands for a map with only this key. */
  readonly textAs: string | undefined;
  /** Whether the part is switched on: only then must its variables be set. */
  readonly isActive: (tree: Tree) => boolean;
  /** Takes care of variables that are not set, instead of an error. */
  readonly whenUnset: ((tree: Tree, unset: readonly UnsetValue[]) => void) | undefined;
  /** Adds what the environment knows beyond the variables that are written; before `whenUnset`. */
  readonly whenRead: WhenRead | undefined;
}

/** `writtenOf` gives a key's text as it stands in the file, empty when it has none. */
export type WhenRead = (
  tree: Tree,
  writtenOf: (key: string) => string,
  environment: Readonly<Record<string, string | undefined>>,
) => void;

export interface NamedShape {
  readonly kind: "named";
  readonly value: Key;
  /** Names that hold something else than an entry. */
  readonly reserved: Readonly<Record<string, Key>>;
  /** When given, other names are pointed out. */
  readonly knownNames: readonly string[] | undefined;
}

export interface UnsetValue {
  readonly variable: string;
  /** Key inside the section, and the place in its list when it is one. */
  readonly key: string;
  readonly index: number | undefined;
}

/** One key of the configuration: how it is checked, what it becomes, and what people read about it. */
export interface Key<Output = unknown, Unit extends KeyUnit = KeyUnit> {
  /** For users, in plain English. */
  readonly about: string;
  /** Column "type" of the reference page. */
  readonly type: string;
  /** Completes "expected …" in an error. */
  readonly expected: string;
  /** Checks and converts a value that is present. */
  readonly schema: () => z.ZodMiniType<Output>;
  /** The value when the key is absent. */
  readonly fallback: () => Output;
  /** The default as one would write it in YAML; `undefined` when there is none. */
  readonly written: string | number | boolean | undefined;
  readonly unit: Unit;
  readonly expands: Expansion;
  readonly secret: boolean;
  /** A file or directory: `~` and relative paths are resolved (see `resolve-path.ts`). */
  readonly path: PathKind;
  /** Older spellings of the key. */
  readonly formerly: readonly string[];
  /** Set by the reader, not by people. */
  readonly hidden: boolean;
  readonly shape: KeyShape;
}

export type Output<K> = K extends Key<infer Value> ? Value : never;

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

/** What a section becomes in code. */
export type SectionOutput<Keys extends Readonly<Record<string, Key>>> = {
  readonly [Name in keyof Keys & string as `${CamelCase<Name>}${Keys[Name]["unit"]}`]: Output<
    Keys[Name]
  >;
};

/** What a map in a plugin's own configuration may hold. */
export type OpaqueValue =
  | null
  | boolean
  | number
  | string
  | Secret
  | readonly OpaqueValue[]
  | { readonly [name: string]: OpaqueValue };
