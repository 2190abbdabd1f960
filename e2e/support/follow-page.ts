import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { blocksOf, readPage } from "../../tooling/testing/page.ts";
import { createScratch, root, type Scratch } from "./scratch.ts";

/** A folder that looks like a checkout; what is written there stays there. */
export function createCheckout(): Scratch {
  const scratch = createScratch();
  for (const name of ["node_modules", "packages", "lua"])
    symlinkSync(join(root, name), join(scratch.folder, name));
  cpSync(join(root, "examples"), join(scratch.folder, "examples"), {
    recursive: true,
    filter: (path) => !/\/(?:\.opentalon|\.venv|target|node_modules|generated)$/.test(path),
  });
  mkdirSync(join(scratch.folder, "plugins"));
  symlinkSync(join(root, "plugins/hello-world"), join(scratch.folder, "plugins/hello-world"));
  return scratch;
}

/** What a page says a terminal showed: the lines that were typed, and everything that was answered. */
export function readTranscript(path: string): {
  readonly typed: string;
  readonly answered: string;
} {
  const shown = blocksOf(readPage(path), "text").find((block) => /^> /m.test(block)) ?? "";
  const begin = /^> /m.exec(shown)?.index;
  if (begin === undefined) throw new Error(`${path} shows no transcript`);
  const lines = shown
    .slice(begin)
    .split("\n")
    .map((line) => ({ line, isTyped: line.startsWith("> ") }));
  const typed = lines.filter(({ isTyped }) => isTyped).map(({ line }) => `${line.slice(2)}\n`);
  const answered = lines.filter(({ isTyped }) => !isTyped).map(({ line }) => line);
  return { typed: typed.join(""), answered: toComparable(answered.join("\n")) };
}

/** Without what is different each time. */
export function toComparable(text: string): string {
  return text
    .replaceAll(/(plugin_output) [0-9a-f]{16}/g, "$1 …")
    .replaceAll(/It shows \d+\./g, "It shows ….");
}
