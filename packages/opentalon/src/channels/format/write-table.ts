import type { Tokens } from "marked";
import { toPlainWords } from "./parse-markdown.ts";

/** Beyond that a column is not filled up: the rest of its cells would stand far to the right. */
const widestCell = 40;
const mostColumns = 20;

/** A table as lines of text in columns, for platforms that have none. */
export function writeTable({ header, rows, align }: Tokens.Table): string {
  const texts = [header, ...rows].map((row) =>
    row
      .slice(0, mostColumns)
      .map(({ tokens }) => toPlainWords(tokens).replaceAll(/\s+/g, " ").trim()),
  );
  const columns = Math.max(...texts.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.min(widestCell, Math.max(1, ...texts.map((row) => toWidth(row[column] ?? "")))),
  );
  const write = (row: readonly string[]): string =>
    widths
      .map((width, column) => {
        const text = row[column] ?? "";
        const fill = " ".repeat(Math.max(0, width - toWidth(text)));
        return align[column] === "right" ? fill + text : text + fill;
      })
      .join(" | ")
      .trimEnd();
  const [head = [], ...body] = texts;
  const rule = widths.map((width) => "-".repeat(width)).join("-|-");
  return [write(head), rule, ...body.map(write)].join("\n");
}

/** Columns of a terminal that a text takes, about. */
function toWidth(text: string): number {
  let width = 0;
  for (const character of text) width += wide.test(character) ? 2 : unseen.test(character) ? 0 : 1;
  return width;
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\u{1f300}-\u{1faff}]/u;
const unseen = /[\p{M}\p{Cf}]/u;
