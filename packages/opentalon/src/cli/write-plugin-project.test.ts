import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseConfig } from "../config/load-config.ts";
import { pluginKinds, pluginLanguages, writePluginProject } from "./write-plugin-project.ts";

const checkout = join(import.meta.dirname, "../../../..");
let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "opentalon-test-"));
});
afterEach(() => rm(scratch, { recursive: true }));

const tool = { name: "dice", language: "python", kind: "tool" } as const;

const combinations = pluginLanguages.flatMap((language) =>
  pluginKinds.map((kind) => ({ language, kind })),
);

/** The SDK as an author gets it; the real one may not be compiled here. */
function createCheckout(): string {
  const folder = join(scratch, "checkout");
  for (const name of ["plugin-sdk", "protocol"]) {
    mkdirSync(join(folder, "packages", name, "dist"), { recursive: true });
    writeFileSync(join(folder, "packages", name, "dist/index.js"), "export {};\n");
    writeFileSync(join(folder, "packages", name, "dist/index.js.map"), "{}");
    const description = readFileSync(join(checkout, "packages", name, "package.json"));
    writeFileSync(join(folder, "packages", name, "package.json"), description);
  }
  copyInto(folder, "proto");
  copyInto(folder, "packages/plugin-sdk/templates");
  return folder;
}

function copyInto(folder: string, path: string): void {
  for (const file of listFiles(join(checkout, path))) {
    mkdirSync(join(folder, path, file, ".."), { recursive: true });
    writeFileSync(join(folder, path, file), readFileSync(join(checkout, path, file)));
  }
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .toSorted();
}

describe("a new plugin", () => {
  it.each(combinations)(
    "in $language of the kind $kind is complete",
    async ({ language, kind }) => {
      const folder = join(scratch, "dice");
      const name = "dice";
      const { source } = await writePluginProject({
        name,
        language,
        kind,
        folder,
        checkout: createCheckout(),
      });
      const files = listFiles(folder);
      expect(files).toEqual(
        expect.arrayContaining([source, "Makefile", "README.md", "config.yaml", ".gitignore"]),
      );
      expect(files.filter((file) => /test/.test(file))).not.toEqual([]);
      expect(files.filter((file) => /\.map$|^gitignore$/.test(file))).toEqual([]);
      for (const file of files)
        expect(readFileSync(join(folder, file), "utf8"), file).not.toMatch(/my-(?:plugin|binary)/);

      const binary = kind === "channel" ? "dice-channel" : "dice-plugin";
      expect(readFileSync(join(folder, "Makefile"), "utf8")).toContain(
        `BINARY_NAME ?= ${binary}\n`,
      );
      expect(readFileSync(join(folder, ".gitignore"), "utf8")).toContain(`/${binary}\n`);
      const text = readFileSync(join(folder, "config.yaml"), "utf8");
      expect(text).toContain(`./${binary}\n`);
      const environment = { PRACTICE_MODEL_URL: "http://127.0.0.1:1/v1" };
      const { warnings } = parseConfig({ text, path: join(folder, "config.yaml"), environment });
      expect(warnings.filter(({ level }) => level === "warn")).toEqual([]);
      // An author without the tools of protocols needs none.
      const protocols = files.filter((file) => /\.proto$|^wire\//.test(file));
      expect(protocols.length > 0).toBe(language !== "typescript");
    },
  );

  it("in TypeScript carries the compiled SDK, without sources and tests", async () => {
    const folder = join(scratch, "dice");
    await writePluginProject({
      ...tool,
      language: "typescript",
      folder,
      checkout: createCheckout(),
    });
    const text = readFileSync(join(folder, "vendor/plugin-sdk/package.json"), "utf8");
    const description = JSON.parse(text) as Record<string, unknown>;
    expect(description).toMatchObject({ name: "@opentalon/plugin-sdk", version: "0.1.0" });
    expect(text).not.toMatch(/@opentalon\/source|devDependencies/);
    expect(existsSync(join(folder, "vendor/protocol/dist/index.js"))).toBe(true);
  });

  it("keeps a name with a dash as the name of its program, as OpenTalon does", async () => {
    const folder = join(scratch, "x");
    await writePluginProject({ ...tool, name: "my-dice", folder, checkout });
    expect(readFileSync(join(folder, "Makefile"), "utf8")).toContain("BINARY_NAME ?= my-dice\n");
  });
});

describe("what cannot be is refused in words, and nothing is written", () => {
  it.each([
    ["", "begins with a letter"],
    ["Dice", "small letters"],
    ["my_dice", "small letters"],
    ["../dice", "small letters"],
    ["dice-", "small letters"],
    ["a--b", "small letters"],
    ["1st", "begins with a letter"],
    ["--lang", "begins with a letter"],
    ["d".repeat(41), "more than 40 characters"],
    ["opentalon", "uses it itself"],
  ])("the name %j", async (name, problem) => {
    const folder = join(scratch, "new");
    const writing = writePluginProject({ ...tool, name, folder, checkout });
    await expect(writing).rejects.toThrow(problem);
    expect(existsSync(folder)).toBe(false);
  });

  it("a folder that holds something", async () => {
    writeFileSync(join(scratch, "notes.txt"), "mine");
    const writing = writePluginProject({ ...tool, folder: scratch, checkout });
    await expect(writing).rejects.toThrow(/is not empty; choose another folder with --dir/);
    expect(readdirSync(scratch)).toEqual(["notes.txt"]);
  });

  it("a file in place of the folder", async () => {
    writeFileSync(join(scratch, "notes.txt"), "mine");
    const folder = join(scratch, "notes.txt");
    await expect(writePluginProject({ ...tool, folder, checkout })).rejects.toThrow(/is a file/);
  });

  it("a checkout whose SDK is not built", async () => {
    const folder = join(scratch, "new");
    const other = createCheckout();
    await rm(join(other, "packages/plugin-sdk/dist"), { recursive: true });
    const writing = writePluginProject({
      ...tool,
      language: "typescript",
      folder,
      checkout: other,
    });
    await expect(writing).rejects.toThrow(/run "make all" in/);
    expect(existsSync(folder)).toBe(false);
  });

  it("a program without its checkout", async () => {
    const folder = join(scratch, "new");
    const writing = writePluginProject({ ...tool, folder, checkout: scratch });
    await expect(writing).rejects.toThrow(/from a checkout of OpenTalon only/);
    expect(existsSync(folder)).toBe(false);
  });
});
