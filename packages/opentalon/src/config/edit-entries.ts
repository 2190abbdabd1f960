import { isDeepStrictEqual } from "node:util";
import {
  type Document,
  isMap,
  isScalar,
  type Pair,
  parseDocument,
  stringify,
  type YAMLMap,
} from "yaml";
import { ConfigError } from "../base/errors.ts";

/** The parts of the file whose entries come and go. */
export type EntrySection = "plugins" | "channels";

/** One change of what stands below `plugins:` or `channels:`. */
export type EntryEdit =
  | {
      readonly kind: "add";
      readonly section: EntrySection;
      readonly name: string;
      readonly entry: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: "remove"; readonly section: EntrySection; readonly name: string };

/**
 * The text of a configuration file with an entry more or less below its section; everything else stays as it is, comments
 * and blank lines included. Text of an unusual form is written anew as a whole, with its comments.
 * @throws ConfigError CONFIG_INVALID when the text is no YAML map, or its section cannot be changed.
 */
export function editEntries(text: string, edit: EntryEdit): string {
  const document = parseDocument(text, { logLevel: "error" });
  const wanted = parseDocument(text, { logLevel: "error" });
  try {
    if (document.errors.length > 0) throw new Error("it is no YAML that can be read");
    applyEdit(wanted, edit);
  } catch {
    throw new ConfigError(
      "CONFIG_INVALID",
      `what stands below \`${edit.section}:\` cannot be changed by a program; change it by hand`,
    );
  }
  const spliced =
    edit.kind === "add" ? addText(text, document, edit) : removeText(text, document, edit);
  if (spliced !== undefined && means(spliced, wanted)) return spliced;
  return wanted.toString({ lineWidth: 0 });
}

function applyEdit(document: Document, edit: EntryEdit): void {
  if (edit.kind === "remove") {
    document.deleteIn([edit.section, edit.name]);
    return;
  }
  const entries: unknown = document.get(edit.section, true);
  // The key with nothing behind it.
  if (isScalar(entries) && (entries.value ?? null) === null)
    document.set(edit.section, document.createNode({}));
  // The `{}` that is left when the last entry is removed must not press the next one onto its line.
  const isInBlock = isMap(document.contents) && document.contents.flow !== true;
  if (isMap(entries) && entries.items.length === 0 && isInBlock) entries.flow = false;
  document.setIn([edit.section, edit.name], document.createNode(edit.entry));
}

/** The text with the entry behind all others, when there is a place for it. */
function addText(
  text: string,
  document: Document,
  { section, name, entry }: Extract<EntryEdit, { kind: "add" }>,
): string | undefined {
  const root = document.contents;
  if (root !== null && (!isMap(root) || root.flow === true)) return undefined;
  if (/^(?:---|\.\.\.)/m.test(text)) return undefined;
  const pair = root === null ? undefined : findPair(root, section);
  if (pair === undefined) {
    const before = text.trim() === "" ? text : `${text.trimEnd()}\n\n`;
    return `${before}${toBlock({ [section]: { [name]: entry } }, 0, 2)}`;
  }
  const entries = pair.value;
  if (!isMap(entries) || entries.flow === true || entries.items.length === 0) return undefined;
  const [first] = entries.items;
  const column = columnOf(text, startOf(first?.key) ?? 0);
  const end = entries.range?.[1];
  if (end === undefined) return undefined;
  const place = toNextLine(text, end);
  const before = text.slice(0, place);
  const gap = before.endsWith("\n") ? "" : "\n";
  return `${before}${gap}${toBlock({ [name]: entry }, column, 2)}${text.slice(place)}`;
}

/** The text without the lines of the entry. */
function removeText(
  text: string,
  document: Document,
  { section, name }: Extract<EntryEdit, { kind: "remove" }>,
): string | undefined {
  const entries = isMap(document.contents)
    ? findPair(document.contents, section)?.value
    : undefined;
  // Without its last entry the map has to be written in another way.
  if (!isMap(entries) || entries.flow === true || entries.items.length < 2) return undefined;
  const pair = findPair(entries, name);
  const start = startOf(pair?.key);
  const end = (pair?.value as { range?: readonly number[] } | null | undefined)?.range?.[1];
  if (start === undefined || end === undefined) return undefined;
  return text.slice(0, start - columnOf(text, start)) + text.slice(toNextLine(text, end));
}

/** Whether the text says what the document does. */
function means(text: string, wanted: Document): boolean {
  const written = parseDocument(text, { logLevel: "error" });
  return written.errors.length === 0 && isDeepStrictEqual(written.toJS() as unknown, wanted.toJS());
}

function findPair(map: YAMLMap, name: string): Pair | undefined {
  return map.items.find(({ key }) => isScalar(key) && key.value === name);
}

function startOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] } | null | undefined)?.range?.[0];
}

function columnOf(text: string, offset: number): number {
  return offset - (text.lastIndexOf("\n", offset - 1) + 1);
}

/** The begin of the line behind `offset`; `offset` itself when a line begins there. */
function toNextLine(text: string, offset: number): number {
  if (offset === 0 || text[offset - 1] === "\n") return offset;
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end + 1;
}

function toBlock(value: unknown, column: number, indent: number): string {
  return stringify(value, { indent, lineWidth: 0 }).replaceAll(/^(?=.)/gm, " ".repeat(column));
}
