import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rolldown } from "rolldown";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundleReferencedFiles } from "./bundle-referenced-files.ts";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-bundle-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it("keeps workers and files named by new URL(…) within reach of the bundle", async () => {
  const source = join(folder, "source");
  mkdirSync(join(source, "deep"), { recursive: true });
  writeFileSync(join(source, "shared.ts"), "export const greeting: string = 'hello';");
  writeFileSync(
    join(source, "deep/echo-worker.ts"),
    `import { parentPort } from "node:worker_threads";
     import { greeting } from "../shared.ts";
     parentPort?.postMessage(greeting);`,
  );
  writeFileSync(join(source, "deep/note.txt"), "a note");
  writeFileSync(
    join(source, "main.ts"),
    `import { readFileSync } from "node:fs";
     import { Worker } from "node:worker_threads";
     const worker = new Worker(new URL("./deep/echo-worker.ts", import.meta.url));
     worker.on("message", (greeting) => {
       console.log(greeting, readFileSync(new URL("./deep/note.txt", import.meta.url), "utf8"));
     });`,
  );
  const output = join(folder, "output");
  await using build = await rolldown({
    input: join(source, "main.ts"),
    platform: "node",
    plugins: [bundleReferencedFiles({ within: [source] })],
  });
  await build.write({ dir: output, format: "esm", chunkFileNames: "chunks/[name]-[hash].js" });
  rmSync(source, { recursive: true });

  const { stdout, stderr } = spawnSync(process.execPath, [join(output, "main.js")], {
    encoding: "utf8",
  });
  expect({ stdout, stderr }).toEqual({ stdout: "hello a note\n", stderr: "" });
});
