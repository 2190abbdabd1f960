import {
  type Alias,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from "yaml";
import type { ConfigProblem, ConfigWarning } from "./problems.ts";

/** A parsed file: nodes that know their line. */
export interface YamlFile {
  /** `null` when the file is empty. */
  readonly root: Node | null;
  /** 1 is the first line. */
  readonly lineOf: (node: unknown) => number;
  /** The node an alias stands for. */
  readonly follow: (node: Node | null) => Node | null;
  /** Entries of a map in the order of the file, merge keys (`<<`) resolved; the map's own keys win. */
  readonly entriesOf: (map: YAMLMap) => ReadonlyMap<string, YamlEntry>;
  /** Must be called for every value that is read; throws `TooLargeError` when aliases multiply beyond reason. */
  readonly count: () => void;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigWarning[];
}

export interface YamlEntry {
  readonly line: number;
  readonly value: Node | null;
}

/** The file describes more values than a configuration can have. */
export class TooLargeError extends Error {}

const maxValues = 100_000;
const maxDepth = 100;
const maxSyntaxProblems = 5;

/** Reads YAML text; problems of syntax are returned, never thrown. */
export function readYaml(text: string): YamlFile {
  const lineCounter = new LineCounter();
  const problems: ConfigProblem[] = [];
  const warnings: ConfigWarning[] = [];
  let root: Node | null = null;
  try {
    // Duplicate keys are looked for below: the parser compares every key with every other.
    const document = parseDocument(text, {
      lineCounter,
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: "error",
    });
    root = document.contents;
    for (const { code, message, pos } of document.errors) {
      const line = lineCounter.linePos(pos[0]).line;
      if (code === "MULTIPLE_DOCS") {
        warnings.push({
          level: "warn",
          line,
          key: "",
          message: "Only the part before this `---` is read.",
        });
      } else if (problems.length < maxSyntaxProblems && problems.at(-1)?.line !== line) {
        problems.push({ line, key: "", message: explainSyntax(code, message) });
      }
    }
  } catch (error) {
    // The parser recurses; deep nesting ends in a full stack.
    if (!(error instanceof RangeError)) throw error;
    problems.push({ line: 0, key: "", message: "The values are nested too deeply." });
  }

  const lineOf = (node: unknown): number => {
    const start = (node as Node | null | undefined)?.range?.[0];
    return start === undefined ? 0 : lineCounter.linePos(start).line;
  };
  const targets = new Map<Alias, Node>();
  if (problems.length === 0) survey(root, targets, lineOf, problems);

  const follow = (node: Node | null): Node | null =>
    isAlias(node) ? (targets.get(node) ?? null) : node;
  let values = 0;
  const count = (): void => {
    values += 1;
    if (values > maxValues) throw new TooLargeError();
  };
  const entriesOf = (map: YAMLMap): Map<string, YamlEntry> => {
    const entries = new Map<string, YamlEntry>();
    const merged: YAMLMap[] = [];
    for (const pair of map.items) {
      count();
      const name = toName(pair.key);
      const value = follow(pair.value as Node | null);
      if (name === "<<" && isScalar(pair.key) && pair.key.type === "PLAIN") {
        const sources = isSeq(value) ? value.items.map((item) => follow(item as Node)) : [value];
        for (const source of sources) if (isMap(source)) merged.push(source);
      } else {
        entries.set(name, { line: lineOf(pair.key), value });
      }
    }
    for (const source of merged) {
      for (const [name, entry] of entriesOf(source))
        if (!entries.has(name)) entries.set(name, entry);
    }
    return entries;
  };
  return { root, lineOf, follow, entriesOf, count, problems, warnings };
}

/** Walks every node once: resolves aliases, finds duplicate keys and nesting that is too deep. */
function survey(
  root: Node | null,
  targets: Map<Alias, Node>,
  lineOf: (node: unknown) => number,
  problems: ConfigProblem[],
): void {
  const anchors = new Map<string, Node>();
  const walk = (node: unknown, depth: number): void => {
    if (depth > maxDepth) {
      if (problems.length === 0) {
        problems.push({
          line: lineOf(node),
          key: "",
          message: `Values may be nested ${maxDepth} deep at most.`,
        });
      }
      return;
    }
    if (isPair(node)) {
      walk(node.key, depth + 1);
      return walk(node.value, depth + 1);
    }
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target !== undefined) targets.set(node, target);
      else problems.push({ line: lineOf(node), key: "", message: explainSyntax("BAD_ALIAS", "") });
      return;
    }
    if (!isScalar(node) && !isMap(node) && !isSeq(node)) return;
    if (node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isScalar(node)) return;
    if (isMap(node)) findDuplicates(node, lineOf, problems);
    for (const item of node.items) walk(item, depth + 1);
  };
  walk(root, 0);
}

function findDuplicates(
  map: YAMLMap,
  lineOf: (node: unknown) => number,
  problems: ConfigProblem[],
): void {
  const seen = new Map<string, number>();
  for (const { key } of map.items) {
    const name = toName(key);
    const line = lineOf(key);
    const before = seen.get(name);
    if (!isScalar(key)) {
      problems.push({
        line,
        key: "",
        message: "A key must be a word, not a list, a map or an alias.",
      });
    } else if (before === undefined || name === "<<") {
      seen.set(name, line);
    } else {
      problems.push({
        line,
        key: name,
        message: `The key stands here twice; it is also in line ${before}. Remove one.`,
      });
    }
  }
}

function toName(key: unknown): string {
  if (!isScalar(key)) return "";
  return typeof key.value === "string" ? key.value : (key.source ?? "");
}

// The parser's own words may quote the file, which may hold credentials: only those that do not are passed on.
function explainSyntax(code: string, message: string): string {
  switch (code) {
    case "TAB_AS_INDENT":
      return "Indent with spaces, not with tabs.";
    case "BAD_ALIAS":
      return "A value that begins with * or & must stand in quotes, unless it is an alias or anchor (only names defined above can be used).";
    case "BAD_INDENT":
      return "The indentation does not fit the lines around it, or a bracket further up is not closed.";
    case "MISSING_CHAR":
      return /[Qq]uote/.test(message)
        ? "A quote is missing here or further up."
        : "A `:`, a comma or a bracket is missing here or further up.";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return "This is not valid YAML. A text that contains `: ` must stand in quotes, and keys of one map must be indented equally.";
    case "UNEXPECTED_TOKEN":
    case "BAD_SCALAR_START":
      return "This is not valid YAML. A text that begins with one of @ ` % { [ ] } , or contains ` #` must stand in quotes.";
    case "BAD_DQ_ESCAPE":
      return 'In a text in "double quotes" a backslash must be written twice, or use single quotes.';
    default:
      return `This is not valid YAML (${code.toLowerCase().replaceAll("_", " ")}).`;
  }
}
