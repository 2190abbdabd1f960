import { isSecret, redactSecrets } from "../base/secret.ts";
import { isCredentialName } from "./credential-name.ts";
import type { Key, Tree } from "./key.ts";
import { toKeyPath } from "./problems.ts";

const hiddenText = "[secret]";

/**
 * Text without what looks like a credential: known secrets, user and password of addresses, what follows a name like
 * `token=` on its line, and the well-known forms of keys. Rather too much than too little.
 */
export function redactText(text: string): string {
  return redactSecrets(text)
    .split("\n")
    .map(redactAssignments)
    .join("\n")
    .replaceAll(/:\/\/\S*@/g, `://${hiddenText}@`)
    .replaceAll(/\bbearer\s+\S+/gi, `Bearer ${hiddenText}`)
    .replaceAll(
      /\b(?:sk-|xox[a-z]-|xapp-|gh[a-z]_|github_pat_|glpat-|AKIA|AIza|eyJ)[\w.-]{8,}/g,
      hiddenText,
    );
}

function redactAssignments(line: string): string {
  for (const match of line.matchAll(/([A-Za-z][\w.-]{0,80})["']?\s{0,8}[=:]\s{0,8}(?=\S)/g)) {
    if (!isCredentialName(match[1] ?? "")) continue;
    return `${line.slice(0, match.index + match[0].length)}${hiddenText}`;
  }
  return line;
}

/** A copy of `tree` that may be shown: `derived` holds the key paths whose text came out of a variable. */
export function redactTree(tree: Tree, key: Key, derived: ReadonlySet<string>): unknown {
  return redactValue(tree, key, [], derived);
}

type Path = readonly (string | number)[];

function redactValue(value: unknown, key: Key, path: Path, derived: ReadonlySet<string>): unknown {
  const { shape } = key;
  if (Array.isArray(value)) {
    const item = shape.kind === "list" ? shape.item : key;
    return redactArguments(
      value.map((element, index) => redactValue(element, item, [...path, index], derived)),
    );
  }
  if (isSecret(value)) return hiddenText;
  if (typeof value === "object" && value !== null) {
    if (shape.kind === "opaque") return redactOpaque(value as Tree);
    const copy: Tree = {};
    for (const [name, inner] of Object.entries(value)) {
      const innerKey = toInnerKey(key, name);
      if (innerKey === undefined) continue;
      const isLooseCredential =
        shape.kind === "named" && typeof inner !== "object" && isCredentialName(name);
      copy[name] = isLooseCredential
        ? hiddenText
        : redactValue(inner, innerKey, [...path, name], derived);
    }
    return copy;
  }
  if (value === "" || value === undefined) return value;
  if (key.type === "NAME=value" && typeof value === "string") {
    return `${/^\w*/.exec(value)?.[0] ?? ""}=${hiddenText}`;
  }
  if (key.secret || derived.has(toKeyPath(path))) return hiddenText;
  return typeof value === "string" ? redactText(value) : value;
}

function toInnerKey({ shape }: Key, name: string): Key | undefined {
  if (shape.kind === "section") return shape.keys[name];
  if (shape.kind !== "named") return undefined;
  return Object.hasOwn(shape.reserved, name) ? shape.reserved[name] : shape.value;
}

/** Hides what follows an argument such as `--token`. */
function redactArguments(items: readonly unknown[]): unknown[] {
  return items.map((item, index) => {
    const before = items[index - 1];
    const names =
      typeof before === "string" && /^-{1,2}[\w-]+$/.test(before) && isCredentialName(before);
    return names && typeof item !== "object" ? hiddenText : item;
  });
}

function redactOpaque(block: Tree): Tree {
  const copy: Tree = {};
  // `{ name: API_TOKEN, value: … }`, as lists of variables and headers are often written.
  const names = ["name", "key", "header"].some(
    (label) => typeof block[label] === "string" && isCredentialName(block[label]),
  );
  for (const [name, value] of Object.entries(block)) {
    const isName = names && typeof value === "string" && ["name", "key", "header"].includes(name);
    if (isName) copy[name] = redactText(value);
    else if (names && name === "value") copy[name] = hiddenText;
    else if (/headers?$/i.test(name) && typeof value === "object" && value !== null)
      copy[name] = hideLeaves(value);
    else
      copy[name] =
        isCredentialName(name) && !isCount(name, value) ? hide(value) : redactOpaqueValue(value);
  }
  return copy;
}

function redactOpaqueValue(value: unknown): unknown {
  if (isSecret(value)) return hiddenText;
  if (Array.isArray(value)) return redactArguments(value.map(redactOpaqueValue));
  if (typeof value === "object" && value !== null) return redactOpaque(value as Tree);
  return typeof value === "string" ? redactText(value) : value;
}

// `max_tokens: 4096` counts tokens, it is none.
function isCount(name: string, value: unknown): boolean {
  return (
    typeof value === "boolean" ||
    (typeof value === "number" && /^(?:max|min|num|limit)_?\w*tokens$/i.test(name))
  );
}

function hide(value: unknown): unknown {
  return value === null || value === "" ? value : hiddenText;
}

function hideLeaves(value: object): unknown {
  if (isSecret(value)) return hiddenText;
  if (Array.isArray(value)) return value.map(() => hiddenText);
  return Object.fromEntries(Object.keys(value).map((name) => [name, hiddenText]));
}
