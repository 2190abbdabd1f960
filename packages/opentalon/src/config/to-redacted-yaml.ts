import { stringify } from "yaml";
import { redactSecrets } from "../base/secret.ts";
import { configKey } from "./config-schema.ts";
import type { Key, Tree } from "./key.ts";
import { redactTree } from "./redact.ts";

export interface RedactedOptions {
  /** Show keys that are not in the file as well. */
  readonly defaults?: boolean;
}

/** The tree of the file as YAML that may be shown to people. */
export function toRedactedYaml(
  tree: Tree,
  derived: ReadonlySet<string>,
  { defaults = false }: RedactedOptions = {},
): string {
  const shown = redactTree(
    defaults ? (withDefaults(tree, configKey) as Tree) : tree,
    configKey,
    derived,
  );
  return redactSecrets(stringify(shown, { lineWidth: 0, aliasDuplicateObjects: false }));
}

/** The tree with the defaults as they would be written. */
function withDefaults(value: unknown, { shape, written }: Key): unknown {
  if (shape.kind === "section") {
    const tree = (value ?? {}) as Tree;
    const keys = Object.entries(shape.keys).filter(
      ([name, key]) => !key.hidden || tree[name] !== undefined,
    );
    return Object.fromEntries(keys.map(([name, key]) => [name, withDefaults(tree[name], key)]));
  }
  if (shape.kind === "named" && value !== undefined) {
    const inner = (name: string): Key => shape.reserved[name] ?? shape.value;
    return Object.fromEntries(
      Object.entries(value as Tree).map(([name, entry]) => [
        name,
        withDefaults(entry, inner(name)),
      ]),
    );
  }
  return value ?? written;
}
