import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { exampleFolder, writeExamplePlugins } from "./example-plugins.ts";

it("the example in four languages is what `opentalon plugin new` writes: `make generate` changes nothing", async () => {
  const files = await writeExamplePlugins();
  expect(files.size).toBeGreaterThan(30);
  for (const [path, text] of files)
    expect(readFileSync(join(exampleFolder, path), "utf8"), path).toBe(text);
});

it("each of its plugins has at most 80 lines of its own", () => {
  const sources = ["typescript/main.ts", "python/main.py", "go/main.go", "rust/src/main.rs"];
  for (const source of sources) {
    const text = readFileSync(join(exampleFolder, source), "utf8");
    expect(text.trimEnd().split("\n").length, source).toBeLessThanOrEqual(80);
  }
});
