import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

/** Test files that leave something behind, run by a test runner of their own that has the leak check. */

const root = join(import.meta.dirname, "..");

const leaks: Readonly<Record<string, { readonly code: string; readonly found: RegExp }>> = {
  child: {
    code: 'import { spawn } from "node:child_process"; spawn("sleep", ["3"], { stdio: "ignore" });',
    found: /child process: sleep 3/,
  },
  detached: {
    code: 'import { spawn } from "node:child_process"; spawn("sleep", ["3"], { detached: true, stdio: "ignore" }).unref();',
    found: /child process: sleep 3/,
  },
  server: {
    code: 'import { createServer } from "node:net"; import { once } from "node:events"; await once(createServer().listen(0, "127.0.0.1"), "listening");',
    found: /TCP server, made by an event of Node/,
  },
  socket: {
    code: 'import { createServer } from "node:net"; import { once } from "node:events"; await once(createServer().listen(import.meta.dirname + "/socket"), "listening");',
    found: /socket server, made at .*socket\.test\.ts/,
  },
  timeout: { code: "setTimeout(() => {}, 60_000);", found: /timer, made at .*timeout\.test\.ts/ },
  interval: { code: "setInterval(() => {}, 10);", found: /timer, made at .*interval\.test\.ts/ },
  watcher: {
    code: 'import { watch } from "node:fs"; watch(import.meta.dirname);',
    found: /file watcher, made at .*watcher\.test\.ts/,
  },
  worker: {
    code: 'import { Worker } from "node:worker_threads"; new Worker("setInterval(() => {}, 1000)", { eval: true }).unref();',
    found: /worker thread, made at .*worker\.test\.ts/,
  },
};

const tidy = `
  import { spawn } from "node:child_process";
  import { once } from "node:events";
  import { createServer } from "node:http";
  import { Worker } from "node:worker_threads";
  const child = spawn("sleep", ["60"]);
  child.kill();
  await once(child, "exit");
  const server = createServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
  await once(server, "listening");
  await (await fetch("http://127.0.0.1:" + server.address().port)).text();
  server.close();
  await new Worker("setInterval(() => {}, 1000)", { eval: true }).terminate();
  clearInterval(setInterval(() => {}, 10));
  setTimeout(() => {}, 60_000).unref();
`;

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-leaks-"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const setup = JSON.stringify(join(root, "tooling/testing/leak-check.ts"));
  writeFileSync(
    join(folder, "vitest.config.js"),
    `export default { test: { pool: "forks", setupFiles: [${setup}] } };`,
  );
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function runTests(files: Readonly<Record<string, string>>): {
  status: number | null;
  output: string;
} {
  for (const [name, code] of Object.entries(files)) {
    const imports = code.match(/import .*? from ".*?";/g) ?? [];
    const body = imports.reduce((rest, line) => rest.replace(line, ""), code);
    writeFileSync(
      join(folder, `${name}.test.ts`),
      `import { it } from "vitest";\n${imports.join("\n")}\nit("runs", async () => {${body}});\n`,
    );
  }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      ...Object.keys(files).map((name) => `${name}.test.ts`),
    ],
    {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: process.env["PATH"], NO_COLOR: "1", OPENTALON_LEAK_GRACE_MS: "1000" },
    },
  );
  return { status, output: stdout + stderr };
}

it("a test file that cleans up passes", () => {
  const { status, output } = runTests({ tidy });
  expect(output).toContain("1 passed");
  expect(status).toBe(0);
});

it(
  "a process, socket, timer, watcher or worker left behind fails its test file",
  { timeout: 60_000 },
  () => {
    const { status, output } = runTests(
      Object.fromEntries(Object.entries(leaks).map(([name, { code }]) => [name, code])),
    );
    expect(status).toBe(1);
    const missed = Object.entries(leaks).filter(([, { found }]) => !found.test(output));
    expect(
      missed.map(([name]) => name),
      output,
    ).toEqual([]);
    expect(output).toContain(`Test Files  ${Object.keys(leaks).length} failed`);
  },
);

it("a rejection that nobody handles fails the run", () => {
  const { status, output } = runTests({
    rejection: 'void Promise.reject(new Error("nobody cares"));',
  });
  expect(status).toBe(1);
  expect(output).toContain("nobody cares");
});
