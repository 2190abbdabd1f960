import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { rolldown } from "rolldown";
import { expect, it, onTestFinished } from "vitest";
import { importHttpPlainly } from "./import-http-plainly.ts";

it("serves HTTP without loading the client behind fetch", async () => {
  const folder = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const input = join(folder, "main.js");
  await writeFile(
    input,
    `import http, { createServer } from "node:http";
     const isClient = (name) => name.includes("undici");
     const loaded = process.moduleLoadList.filter(isClient);
     console.log(JSON.stringify([loaded, createServer === http.createServer]));`,
  );
  const bundle = async (plugins: ReturnType<typeof importHttpPlainly>[]): Promise<string> => {
    await using build = await rolldown({ input, platform: "node", plugins });
    const file = join(folder, "bundle.mjs");
    await build.write({ file, format: "esm" });
    return spawnSync(process.execPath, [file], { encoding: "utf8" }).stdout;
  };
  expect(JSON.parse(await bundle([importHttpPlainly()]))).toEqual([[], true]);
  // Should Node stop doing it, this plugin can go.
  expect(JSON.parse(await bundle([]))).toEqual([[expect.stringContaining("undici")], true]);
});
