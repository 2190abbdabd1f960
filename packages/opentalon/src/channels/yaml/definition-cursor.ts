import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLMap,
} from "yaml";
import { parseDuration } from "../../base/duration.ts";
import { ChannelError } from "../../base/errors.ts";
import { parseTemplate, type Template } from "./template.ts";

/** Reads one map of a definition key by key; what is not read in the end is unknown. */
export interface DefinitionCursor {
  /** Path of the map: `inbound.http_webhook`; empty at the top. */
  readonly path: string;
  readonly has: (key: string) => boolean;
  /** Words, numbers and booleans alike, as they are written; `fallback` when the key is absent or empty. */
  readonly text: (key: string, fallback?: string) => string;
  readonly template: (key: string) => Template | undefined;
  readonly flag: (key: string, fallback: boolean) => boolean;
  readonly whole: (key: string, fallback: number) => number;
  /** Go's duration text, in milliseconds. */
  readonly duration: (key: string, fallbackMs: number) => number;
  readonly texts: (key: string) => readonly string[];
  /** A list of words, or one word in its place. */
  readonly textOrTexts: (key: string) => readonly string[];
  readonly map: (key: string) => DefinitionCursor | undefined;
  readonly maps: (key: string) => readonly DefinitionCursor[];
  /** A map or a text in one place, as `mapping.content` allows. */
  readonly textOrMap: (key: string) => string | DefinitionCursor | undefined;
  readonly keys: () => readonly string[];
  /** @throws ChannelError always: names the file, the line and the key. */
  readonly fail: (key: string, problem: string) => never;
  readonly warn: (key: string, problem: string) => void;
  /** Fails when the key is absent or empty. */
  readonly required: (key: string) => string;
}

export interface DefinitionFile {
  readonly root: DefinitionCursor;
  /** Top-level list, for files that are one. */
  readonly items: readonly DefinitionCursor[];
  /** Call at the end: a warning for every key nobody asked for. */
  readonly findUnread: () => readonly string[];
  /** Warnings so far. */
  readonly warnings: readonly string[];
}

export const maxDefinitionBytes = 1_048_576;

/** @throws ChannelError CHANNEL_MISCONFIGURED when the text is no YAML. */
export function openDefinition(file: string, text: string): DefinitionFile {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: "error",
  });
  const lineOf = (node: unknown): number => {
    const [offset] = (node as Node | null | undefined)?.range ?? [];
    return offset === undefined ? 1 : lines.linePos(offset).line;
  };
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line } = lines.linePos(problem.pos[0]);
    throw misconfigured(`${file}:${line}: this is not valid YAML (${problem.code})`);
  }
  const follow = (node: Node | undefined): Node | undefined =>
    isAlias(node) ? node.resolve(document) : node;
  const warnings: string[] = [];
  const reads = new Map<YAMLMap, Set<string>>();
  const opened: { map: YAMLMap; path: string; read: Set<string> }[] = [];

  const open = (map: YAMLMap, path: string): DefinitionCursor => {
    // A map may be looked into more than once.
    const read = reads.get(map) ?? new Set<string>();
    if (!reads.has(map)) {
      reads.set(map, read);
      opened.push({ map, path, read });
    }
    const join = (key: string): string => (path === "" ? key : `${path}.${key}`);
    const find = (key: string): Node | undefined => {
      read.add(key);
      const node = map.get(key, true) as Node | undefined;
      const value = follow(node);
      return value === undefined || (isScalar(value) && value.value === null) ? undefined : value;
    };
    const fail = (key: string, what: string): never => {
      const line = lineOf(map.get(key, true) ?? map);
      throw misconfigured(`${file}:${line}: ${key === "" ? path : join(key)}: ${what}`);
    };
    const scalar = (key: string): string | undefined => {
      const node = find(key);
      if (node === undefined) return undefined;
      if (!isScalar(node)) return fail(key, "a text is expected here");
      return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
    };
    const toMap = (node: Node | undefined, key: string): DefinitionCursor | undefined => {
      if (node === undefined) return undefined;
      return isMap(node) ? open(node, join(key)) : fail(key, "a map is expected here");
    };
    const toList = (key: string): readonly Node[] => {
      const node = find(key);
      if (node === undefined) return [];
      if (!isSeq(node)) return fail(key, "a list is expected here");
      return (node.items as Node[]).flatMap((item) => follow(item) ?? []);
    };
    const cursor: DefinitionCursor = {
      path,
      has: (key) => find(key) !== undefined,
      text: (key, fallback = "") => scalar(key) ?? fallback,
      template: (key) => {
        const value = scalar(key);
        return value === undefined ? undefined : parseTemplate(value);
      },
      flag: (key, fallback) => {
        const value = scalar(key)?.toLowerCase();
        if (value === undefined) return fallback;
        return (
          value === "true" ||
          (value === "false" ? false : fail(key, "true or false is expected here"))
        );
      },
      whole: (key, fallback) => {
        const value = scalar(key);
        if (value === undefined) return fallback;
        return /^\d{1,9}$/.test(value)
          ? Number(value)
          : fail(key, "a whole number is expected here");
      },
      duration: (key, fallbackMs) => {
        const value = scalar(key);
        if (value === undefined) return fallbackMs;
        const ms = parseDuration(value);
        return ms === undefined || ms < 0
          ? fail(key, "a time such as 500ms, 10s or 1h is expected here")
          : ms;
      },
      texts: (key) =>
        toList(key).map((node) => {
          if (!isScalar(node)) return fail(key, "a list of words is expected here");
          return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
        }),
      textOrTexts: (key) => {
        const node = find(key);
        if (node === undefined) return [];
        return isScalar(node) ? [scalar(key) ?? ""] : cursor.texts(key);
      },
      map: (key) => toMap(find(key), key),
      maps: (key) =>
        toList(key).map((node, index) =>
          isMap(node)
            ? open(node, `${join(key)}[${index}]`)
            : fail(key, "a list of maps is expected here"),
        ),
      textOrMap: (key) => {
        const node = find(key);
        return node !== undefined && isMap(node) ? open(node, join(key)) : scalar(key);
      },
      keys: () => map.items.map(({ key }) => (isScalar(key) ? String(key.value) : "")),
      fail,
      warn: (key, what) => {
        warnings.push(`${file}:${lineOf(map.get(key, true) ?? map)}: ${join(key)}: ${what}`);
      },
      required: (key) => {
        const value = scalar(key) ?? "";
        return value === "" ? fail(key, "it must be given") : value;
      },
    };
    return cursor;
  };

  const { contents } = document;
  if (!isMap(contents) && !isSeq(contents)) {
    throw misconfigured(`${file}: a definition is a map of keys, which this file is not`);
  }
  return {
    root: isMap(contents) ? open(contents, "") : open(document.createNode({}) as YAMLMap, ""),
    items: isSeq(contents)
      ? contents.items.filter(isMap).map((item, index) => open(item as YAMLMap, `[${index}]`))
      : [],
    findUnread: () =>
      opened.flatMap(({ map, path, read }) =>
        map.items.flatMap(({ key }) => {
          const name = isScalar(key) ? String(key.value) : "?";
          if (read.has(name)) return [];
          const full = path === "" ? name : `${path}.${name}`;
          return [`${file}:${lineOf(key)}: ${full}: nothing reads this key`];
        }),
      ),
    warnings,
  };
}

function misconfigured(message: string): ChannelError {
  return new ChannelError("CHANNEL_MISCONFIGURED", message);
}
