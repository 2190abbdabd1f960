import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

/** The launcher in a checkout of its own, with a small program in place of the built one. */

let folder = "";
let launcher = "";
let program = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon launcher "));
  const checkout = join(folder, "check out");
  launcher = join(checkout, "opentalon");
  program = join(checkout, "packages/opentalon/dist/bundle/opentalon.js");
  mkdirSync(dirname(program), { recursive: true });
  mkdirSync(join(checkout, "node_modules/.bin"), { recursive: true });
  symlinkSync(process.execPath, join(checkout, "node_modules/.bin/node"));
  copyFileSync(join(import.meta.dirname, "../opentalon"), launcher);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function launch(
  path: string,
  ...parameters: string[]
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(path, parameters, {
    cwd: tmpdir(),
    encoding: "utf8",
    env: { PATH: "/usr/bin:/bin" },
    input: "in",
  });
}

it("says what to do when nothing is built", () => {
  rmSync(program, { force: true });
  const { status, stdout, stderr } = launch(launcher);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain("run 'make all'");
});

it("passes arguments, input and exit code through, also when called by a chain of links", () => {
  writeFileSync(
    program,
    `process.stdin.on("data", (data) => {
      console.log(JSON.stringify([process.argv.slice(2), String(data), process.versions.node.split(".")[0]]));
      process.exitCode = 7;
    });`,
  );
  mkdirSync(join(folder, "bin"));
  symlinkSync("../check out/opentalon", join(folder, "bin/first"));
  symlinkSync(join(folder, "bin/first"), join(folder, "second"));
  for (const path of [launcher, join(folder, "bin/first"), join(folder, "second")]) {
    const { status, stdout, stderr } = launch(path, "a b", "", "--flag=$HOME");
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toEqual([
      ["a b", "", "--flag=$HOME"],
      "in",
      process.versions.node.split(".")[0],
    ]);
    expect(status).toBe(7);
  }
});

it("becomes the program, so that signals reach it", async () => {
  writeFileSync(
    program,
    `process.on("SIGTERM", () => process.exit(15)); setInterval(() => {}, 1000); console.log(process.pid);`,
  );
  const child = spawn(launcher, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { PATH: "/usr/bin:/bin" },
  });
  const [pid] = (await once(child.stdout, "data")) as [Buffer];
  expect(Number(String(pid))).toBe(child.pid);
  child.kill("SIGTERM");
  const [status] = (await once(child, "exit")) as [number | null];
  expect(status).toBe(15);
});
