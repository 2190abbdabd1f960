import { readFileSync } from "node:fs";
import { join } from "node:path";

export const root = join(import.meta.dirname, "..", "..");

/** A Markdown file, taken apart for tests that hold it against the program. */
export interface Page {
  /** From the root of the checkout. */
  readonly path: string;
  readonly text: string;
  /** Without blocks of code. */
  readonly prose: string;
  readonly blocks: readonly { readonly language: string; readonly text: string }[];
  /** What stands between backticks in the prose. */
  readonly codes: readonly string[];
}

export function readPage(path: string): Page {
  const text = readFileSync(join(root, path), "utf8");
  const fence = /^```(\w*)\n([^]*?)^```$/gm;
  const blocks = text
    .matchAll(fence)
    .map(([, language = "", block = ""]) => ({ language, text: block }));
  const prose = text.replaceAll(fence, "");
  return { path, text, prose, blocks: [...blocks], codes: find(/`([^`\n]+)`/g, prose) };
}

/** The blocks of one language, in order. */
export function blocksOf({ blocks }: Page, language: string): readonly string[] {
  return blocks.filter((block) => block.language === language).map(({ text }) => text);
}

/** Every match: its first group, or all of it when there is none. */
export function find(pattern: RegExp, text: string): string[] {
  return [...text.matchAll(pattern)].map(([whole, part]) => part ?? whole);
}
