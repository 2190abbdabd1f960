import { isMap, isScalar, isSeq, type Node, type Scalar, type YAMLMap } from "yaml";
import { createSecret } from "../base/secret.ts";
import { isCredentialName } from "./credential-name.ts";
import { type Environment, expandVariables } from "./expand-variables.ts";
import { describeUnknownKey } from "./explain-problems.ts";
import type { Key, KeyShape, NamedShape, PathKind, SectionShape, Tree, UnsetValue } from "./key.ts";
import { findNearestName } from "./nearest-name.ts";
import { type ConfigProblem, type ConfigWarning, toKeyPath } from "./problems.ts";
import type { YamlFile } from "./read-yaml.ts";

export interface TreeOptions {
  readonly yaml: YamlFile;
  readonly root: Key;
  readonly environment: Environment;
  readonly resolvePath: (path: string, kind: PathKind) => string;
  /** Key patterns nothing reads yet. */
  readonly withoutEffect: readonly string[];
  /** Those among them that are meant to protect something. */
  readonly protecting: readonly string[];
}

/** The file as plain values, along the known keys: variables expanded, paths resolved, not yet validated. */
export interface ReadTree {
  readonly tree: Tree;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigWarning[];
  /** Line of every key that was read, by its path. */
  readonly lines: ReadonlyMap<string, number>;
  /** Paths of the keys whose text came out of a variable. */
  readonly derived: ReadonlySet<string>;
}

const maxWarnings = 100;

interface Place {
  readonly path: readonly (string | number)[];
  /** The path with `*` for names and `[]` for places in lists. */
  readonly pattern: string;
}

interface Unset extends ConfigProblem {
  readonly variable: string;
  readonly path: readonly (string | number)[];
}

/**
 * Gets: a parsed file and the known keys. Gives: a tree for the schema, and all that was noticed on the way.
 * Never: a wrong type as a problem of its own; the tree keeps what was found, and the schema says it is wrong.
 * @throws TooLargeError when aliases multiply beyond reason.
 */
export function readTree({
  yaml,
  root,
  environment,
  resolvePath,
  withoutEffect,
  protecting,
}: TreeOptions): ReadTree {
  const problems: ConfigProblem[] = [];
  const warnings: ConfigWarning[] = [];
  const lines = new Map<string, number>();
  const derived = new Set<string>();
  let unset: Unset[] = [];

  const warn = (line: number, path: Place["path"], message: string): void => {
    if (warnings.length < maxWarnings)
      warnings.push({ level: "warn", line, key: toKeyPath(path), message });
  };

  const readValue = (node: Node | null, key: Key, place: Place): unknown => {
    yaml.count();
    const value = yaml.follow(node);
    const { shape } = key;
    if (isAbsent(value)) return undefined;
    switch (shape.kind) {
      case "scalar":
        return isScalar(value)
          ? readScalar(value, key, shape.type, shape.synonyms, place)
          : toFound(value);
      case "section":
        if (isScalar(value) && shape.textAs !== undefined) return { [shape.textAs]: toText(value) };
        return isMap(value) ? readSection(value, shape, place) : toFound(value);
      case "named":
        return isMap(value) ? readNamed(value, shape, place) : toFound(value);
      case "list":
        return readList(value, shape, place);
      case "opaque":
        return isMap(value) ? readOpaque(value, place) : toFound(value);
    }
  };

  const readSection = (map: YAMLMap, shape: SectionShape, place: Place): Tree => {
    const tree: Tree = {};
    const entries = yaml.entriesOf(map);
    const unsetBefore = unset.length;
    for (const [name, { line, value }] of entries) {
      const known = findKey(shape, name);
      if (known === undefined) {
        warn(line, [...place.path, name], describeUnknownKey(name, shape, root));
        continue;
      }
      const [current, key] = known;
      if (current !== name && !isAbsent(yaml.follow(entries.get(current)?.value ?? null))) continue;
      const inner = descend(place, current, current);
      readInto(tree, current, value, key, inner, line);
    }
    const writtenOf = (name: string): string =>
      toText(yaml.follow(entries.get(name)?.value ?? null));
    shape.whenRead?.(tree, writtenOf, environment);
    if (!shape.isActive(tree)) unset.length = unsetBefore;
    if (shape.whenUnset !== undefined && unset.length > unsetBefore) {
      const own = unset
        .splice(unsetBefore)
        .map(({ variable, path }) => toUnsetValue(variable, path, place));
      shape.whenUnset(tree, own);
    }
    return tree;
  };

  const readNamed = (map: YAMLMap, shape: NamedShape, place: Place): Tree => {
    const tree = Object.create(null) as Tree;
    for (const [name, { line, value }] of yaml.entriesOf(map)) {
      const path = [...place.path, name];
      if (name === "__proto__") {
        warn(line, path, "This name cannot be used and is ignored.");
        continue;
      }
      if (shape.knownNames?.includes(name) === false) {
        const nearest = findNearestName(name, shape.knownNames);
        warn(
          line,
          path,
          `There is no such name.${nearest === undefined ? "" : ` Did you mean \`${nearest}\`?`}`,
        );
      }
      const reserved = Object.hasOwn(shape.reserved, name) ? shape.reserved[name] : undefined;
      if (reserved !== undefined && isEntry(value)) {
        problems.push({
          line,
          key: toKeyPath(path),
          message: `\`${name}\` is reserved for settings of all entries. Give this one another name.`,
        });
        continue;
      }
      readInto(
        tree,
        name,
        value,
        reserved ?? shape.value,
        descend(place, name, reserved === undefined ? "*" : name),
        line,
      );
      // A name without anything below it is an entry with defaults.
      if (isAbsent(yaml.follow(value)) && shape.value.shape.kind === "section") tree[name] = {};
    }
    return tree;
  };

  const readInto = (
    tree: Tree,
    name: string,
    node: Node | null,
    key: Key,
    place: Place,
    line: number,
  ): void => {
    const unsetBefore = unset.length;
    lines.set(toKeyPath(place.path), line);
    const value = readValue(node, key, place);
    if (value !== undefined) tree[name] = value;
    if (!withoutEffect.includes(place.pattern)) return;
    unset.length = unsetBefore;
    if (!isSet(value, key)) return;
    const protects = protecting.includes(place.pattern);
    warnings.push({
      level: protects ? "warn" : "info",
      line,
      key: toKeyPath(place.path),
      message: `Accepted, has no effect yet.${protects ? " What it should protect is not protected." : ""}`,
    });
  };

  const readList = (
    value: Node | null,
    shape: KeyShape & { kind: "list" },
    place: Place,
  ): unknown => {
    if (shape.orText && isScalar(value))
      return [readValue(value, shape.item, descend(place, 0, "[]"))];
    if (!isSeq(value)) return toFound(value);
    const items: unknown[] = [];
    for (const node of value.items as (Node | null)[]) {
      const inner = descend(place, items.length, "[]");
      lines.set(toKeyPath(inner.path), yaml.lineOf(node));
      // The first word of a command is a program, looked up on the search path when it names no folder; an argument is a
      // path when it begins like one.
      const path = items.length > 0 ? /^\.\.?[/\\]/ : /[/\\]/;
      const isArgument = shape.orText && !path.test(toText(node));
      const item = readValue(node, isArgument ? { ...shape.item, path: "no" } : shape.item, inner);
      if (item !== undefined) items.push(item);
    }
    return items;
  };

  const readScalar = (
    node: Scalar,
    key: Key,
    type: "text" | "flag" | "number",
    synonyms: Readonly<Record<string, string>>,
    place: Place,
  ): unknown => {
    if (type === "flag") return toFlag(node);
    if (type === "number") return toNumber(node);
    const written = toText(node);
    const expanded = expand(written, key, place, node);
    if (expanded === undefined) return undefined;
    if (key.path !== "no") return resolvePath(expanded, key.path);
    const word = expanded.toLowerCase();
    return Object.hasOwn(synonyms, word) ? synonyms[word] : expanded;
  };

  /** `undefined` when a variable is not set and the literal text would make no sense. */
  const expand = (written: string, key: Key, { path }: Place, node: Scalar): string | undefined => {
    const { text, used, unset: missing } = expandVariables(written, key.expands, environment);
    if (used.length > 0) derived.add(toKeyPath(path));
    registerCredentials(used);
    // An empty credential is none.
    const absent = key.secret && text === "" ? used : missing;
    for (const variable of absent) unset.push(createUnset(variable, path, yaml.lineOf(node)));
    return absent.length > 0 && !isFreeText(key) ? undefined : text;
  };

  const registerCredentials = (variables: readonly string[]): void => {
    for (const name of variables) if (isCredentialName(name)) createSecret(environment[name] ?? "");
  };

  const readOpaque = (map: YAMLMap, place: Place): Tree => {
    const block = Object.create(null) as Tree;
    for (const [name, { line, value }] of yaml.entriesOf(map)) {
      const path = [...place.path, name];
      lines.set(toKeyPath(path), line);
      if (name === "__proto__") {
        warn(line, path, "This name cannot be used and is ignored.");
        continue;
      }
      const plain = toPlain(value, name, path);
      if (typeof plain !== "string") {
        block[name] = plain;
        continue;
      }
      const { text, used, unset: missing } = expandVariables(plain, "braces", environment);
      registerCredentials(used);
      for (const variable of missing) unset.push(createUnset(variable, path, line));
      block[name] = used.length > 0 ? createSecret(text) : text;
    }
    return block;
  };

  const toPlain = (node: Node | null, name: string, path: Place["path"]): unknown => {
    yaml.count();
    const value = yaml.follow(node);
    if (isMap(value)) {
      const copy = Object.create(null) as Tree;
      for (const [inner, entry] of yaml.entriesOf(value)) {
        if (inner === "__proto__")
          warn(entry.line, [...path, inner], "This name cannot be used and is ignored.");
        else copy[inner] = toPlain(entry.value, inner, [...path, inner]);
      }
      return copy;
    }
    if (isSeq(value))
      return (value.items as (Node | null)[]).map((item, index) =>
        toPlain(item, name, [...path, index]),
      );
    if (!isScalar(value)) return null;
    if (
      typeof value.value === "number" &&
      !Number.isSafeInteger(value.value) &&
      /^[+-]?\d+$/.test(value.source ?? "")
    ) {
      warn(
        yaml.lineOf(value),
        path,
        "The number is too long to be exact and is handed on as a text. Put it in quotes.",
      );
      return value.source;
    }
    // Written out credentials never reach the log either; short ones could be common words.
    if (typeof value.value === "string" && value.value.length >= 12 && isCredentialName(name))
      createSecret(value.value);
    return value.value ?? null;
  };

  const isEntry = (node: Node | null): boolean => {
    const value = yaml.follow(node);
    if (!isMap(value)) return false;
    return ["enabled", "plugin", "path", "github"].some((name) => value.has(name));
  };

  const tree = yaml.root === null ? {} : readValue(yaml.root, root, { path: [], pattern: "" });
  unset = unset.filter((one, index) => {
    return (
      unset.findIndex(({ variable, key }) => variable === one.variable && key === one.key) === index
    );
  });
  return { tree: tree as Tree, problems: [...problems, ...unset], warnings, lines, derived };
}

function descend({ path, pattern }: Place, part: string | number, patternPart: string): Place {
  const separator = pattern === "" || patternPart === "[]" ? "" : ".";
  return { path: [...path, part], pattern: `${pattern}${separator}${patternPart}` };
}

function findKey({ keys }: SectionShape, name: string): readonly [string, Key] | undefined {
  const key = Object.hasOwn(keys, name) ? keys[name] : undefined;
  if (key !== undefined) return key.hidden ? undefined : [name, key];
  return Object.entries(keys).find(([, candidate]) => candidate.formerly.includes(name));
}

function createUnset(variable: string, path: Place["path"], line: number): Unset {
  const [first = "", second] = path;
  const isEntry = (first === "plugins" || first === "channels") && typeof second === "string";
  const part = isEntry ? `${first.slice(0, -1)} \`${second}\`` : `\`${first}\``;
  const otherwise = isEntry
    ? `, or switch the ${first.slice(0, -1)} off with \`enabled: false\``
    : ", or remove the key";
  return {
    line,
    path,
    key: toKeyPath(path),
    variable,
    message: `The environment variable ${variable} is not set, and ${part} needs it. Set it${otherwise}.`,
  };
}

function toUnsetValue(variable: string, path: Place["path"], place: Place): UnsetValue {
  const index = path[place.path.length + 1];
  return {
    variable,
    key: String(path[place.path.length]),
    index: typeof index === "number" ? index : undefined,
  };
}

function isFreeText(key: Key): boolean {
  return key.secret || key.type === "text" || key.type === "path";
}

function isAbsent(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

/** What stands in place of something else: enough for the schema to refuse it. */
function toFound(node: Node | null): unknown {
  if (isScalar(node)) return node.value;
  return isSeq(node) ? [] : {};
}

/** A scalar as it is written, so that `1.10` stays `1.10`. */
function toText(node: Node | null): string {
  if (!isScalar(node)) return "";
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}

function toFlag({ value, type }: Scalar): unknown {
  if (typeof value !== "string" || type !== "PLAIN") return value;
  if (/^(?:yes|on|y)$/i.test(value)) return true;
  return /^(?:no|off|n)$/i.test(value) ? false : value;
}

function toNumber({ value, type }: Scalar): unknown {
  const hasUnderscores = typeof value === "string" && type === "PLAIN" && /^\d[\d_]*$/.test(value);
  return hasUnderscores ? Number(value.replaceAll("_", "")) : value;
}

/** Whether somebody meant something by it: switched on, or different from the default. */
function isSet(value: unknown, key: Key): boolean {
  if (value === undefined || value === "" || value === false || value === key.written) return false;
  const { shape } = key;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value !== "object" || value === null) return true;
  const tree = value as Tree;
  if (shape.kind !== "section") return Object.keys(tree).length > 0;
  if (shape.keys["enabled"] !== undefined) return shape.isActive(tree);
  return Object.entries(tree).some(([name, inner]) => {
    const innerKey = shape.keys[name];
    return innerKey !== undefined && isSet(inner, innerKey);
  });
}
