import { isSecret } from "../base/secret.ts";
import type { Key, SectionShape, Tree } from "./key.ts";
import { findNearestName } from "./nearest-name.ts";
import { type ConfigProblem, toKeyPath } from "./problems.ts";
import { redactText } from "./redact.ts";

type Path = readonly (string | number)[];

/** What the schema says is wrong, in the words of the key: the line, what was expected, what was found. */
export function explainIssue(
  issuePath: readonly PropertyKey[],
  root: Key,
  tree: Tree,
  lines: ReadonlyMap<string, number>,
): ConfigProblem {
  const path = issuePath.map((part) => (typeof part === "number" ? part : String(part)));
  const key = findKeyAt(root, path);
  const { expected } = key;
  const found = describeFound(findValueAt(tree, path), key);
  const hint = suggest(findValueAt(tree, path), key);
  return {
    line: findLine(path, lines),
    key: toKeyPath(path),
    message: `Expected ${expected}; found ${found}.${hint}`,
    expected,
    found,
  };
}

/** What to do about a key that does not exist. */
export function describeUnknownKey(name: string, { keys }: SectionShape, root: Key): string {
  const known = Object.keys(keys).filter((candidate) => keys[candidate]?.hidden === false);
  const places = findPlaces(name, root, "");
  const meant = places.length === 1 ? places[0] : findNearestName(name, known);
  if (meant !== undefined)
    return `There is no such key here, so it is ignored. Did you mean \`${meant}\`?`;
  return `There is no such key here, so it is ignored. Known here: ${known.slice(0, 12).join(", ")}${known.length > 12 ? ", …" : ""}.`;
}

/** The nearest line that is known: a key that is missing has the line of what it is missing in. */
export function findLine(path: Path, lines: ReadonlyMap<string, number>): number {
  for (let length = path.length; length > 0; length -= 1) {
    const line = lines.get(toKeyPath(path.slice(0, length)));
    if (line !== undefined) return line;
  }
  return 0;
}

/** Every place in which there is a key of this name. */
function findPlaces(name: string, { shape }: Key, prefix: string): string[] {
  if (shape.kind === "list") return findPlaces(name, shape.item, `${prefix}[]`);
  if (shape.kind === "named") return findPlaces(name, shape.value, `${prefix}.<name>`);
  if (shape.kind !== "section") return [];
  return Object.entries(shape.keys).flatMap(([candidate, key]) => {
    const path = prefix === "" ? candidate : `${prefix}.${candidate}`;
    const inner = findPlaces(name, key, path);
    return candidate === name && !key.hidden ? [path, ...inner] : inner;
  });
}

function findKeyAt(root: Key, path: Path): Key {
  let key = root;
  for (const part of path) {
    const { shape } = key;
    const inner =
      shape.kind === "section"
        ? shape.keys[part]
        : shape.kind === "named"
          ? Object.hasOwn(shape.reserved, part)
            ? shape.reserved[part]
            : shape.value
          : shape.kind === "list"
            ? shape.item
            : undefined;
    if (inner === undefined) return key;
    key = inner;
  }
  return key;
}

function findValueAt(tree: Tree, path: Path): unknown {
  let value: unknown = tree;
  for (const part of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Tree)[part];
  }
  return value;
}

function describeFound(value: unknown, { secret }: Key): string {
  if (Array.isArray(value)) return "a list";
  if (isSecret(value)) return "a text";
  if (typeof value === "object" && value !== null) return "a map";
  if (value === undefined || value === null) return "nothing";
  if (secret) return `a ${typeof value === "string" ? "text" : typeof value}`;
  if (typeof value !== "string") return JSON.stringify(value);
  const shown = redactText(value);
  return `the text ${JSON.stringify(shown.length > 40 ? `${shown.slice(0, 40)}…` : shown)}`;
}

function suggest(value: unknown, { type, shape, secret }: Key): string {
  if (secret || value === undefined || typeof value === "object") return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  if (type === "duration" && /^\d+$/.test(text)) return ` Did you mean \`${text}s\`?`;
  const isQuoted = typeof value === "string";
  if (type === "whole number" && isQuoted && /^["']?\d+["']?$/.test(text))
    return " Remove the quotes.";
  if (type === "true / false" && /^(?:true|false)$/i.test(text)) return " Remove the quotes.";
  if (shape.kind !== "scalar") return "";
  const nearest = findNearestName(text, Object.keys(shape.synonyms));
  return nearest === undefined || nearest === "" ? "" : ` Did you mean \`${nearest}\`?`;
}
