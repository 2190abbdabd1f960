import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runOpenTalon, type FinishedRun } from "./support/run-opentalon.ts";
import { createScratch, root, type Scratch } from "./support/scratch.ts";

/** `opentalon lua test` and `opentalon lua repl`, without a configuration and without a running program. */

function writeScripts(scratch: Scratch, files: Readonly<Record<string, string>>): string {
  const folder = join(scratch.folder, "scripts");
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function run(scratch: Scratch, command: readonly string[], input?: string): Promise<FinishedRun> {
  return runOpenTalon({
    arguments: ["lua", ...command],
    folder: scratch.folder,
    ...(input === undefined ? {} : { input }),
  });
}

const shout = "function prepare(text) return text:upper() end\n";

describe("opentalon lua test", () => {
  it("passes the scripts that come with the program", async () => {
    using scratch = createScratch();
    const { code, stdout, stderr } = await run(scratch, ["test", join(root, "lua")]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^\d+ tests, all passed \([\d.]+ s\)\n$/);
  });

  it("shows what is different, as words and as JSON", async () => {
    using scratch = createScratch();
    const folder = writeScripts(scratch, {
      "shout.lua": shout,
      "shout.cases.yaml": "cases:\n  - {name: wrong, message: a, expect: B}\n",
      "shout_test.lua": "function test_right() assert_equal(prepare('a'), 'A') end\n",
    });
    const words = await run(scratch, ["test", folder]);
    expect(words.code).toBe(1);
    expect(words.stdout).toMatch(
      /^FAILED shout\.cases\.yaml:2: wrong\n {2}message is different:\n {2}- B\n {2}\+ A\n\n2 tests, 1 failed/,
    );
    const json = await run(scratch, ["test", folder, "--json"]);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      passed: 1,
      failed: 1,
      tests: [
        { file: "shout.cases.yaml", line: 2, name: "wrong", passed: false },
        { file: "shout_test.lua", name: "test_right", passed: true, problems: [] },
      ],
    });
  });

  it("says where it looked in vain", async () => {
    using scratch = createScratch();
    const nothing = await run(scratch, ["test", scratch.folder]);
    expect(nothing).toMatchObject({ code: 1, stdout: "" });
    expect(nothing.stderr).toContain("holds no tests");
    const missing = await run(scratch, ["test", join(scratch.folder, "no")]);
    expect(missing).toMatchObject({ code: 1, stdout: "" });
  });
});

describe("opentalon lua repl", () => {
  it("prints the values of what it reads", async () => {
    using scratch = createScratch();
    const folder = writeScripts(scratch, { "shout.lua": shout });
    const input =
      'prepare("hi")\nfor i = 1, 2 do\n  print(i)\nend\n:call prepare\n1 + 1, ctx.channel\n';
    expect(await run(scratch, ["repl", join(folder, "shout.lua")], input)).toEqual({
      code: 0,
      stdout: "HI\n1\n2\nHELLO, CAN YOU HELP ME WITH MY ORDER 4711?\n2  console\n",
      stderr: "",
    });
  });

  it("ends with 1 when something failed, and has the limits of a hook", async () => {
    using scratch = createScratch();
    const limits = { timeout_seconds: 1, memory_mb: 32 };
    const configPath = scratch.writeConfig("http://127.0.0.1:1/v1", { lua: { limits } });
    const input = 'while true do end\nio\n("x"):rep(1e9)\n2\n';
    const { code, stdout, stderr } = await run(scratch, ["repl", "--config", configPath], input);
    expect(code).toBe(1);
    expect(stdout).toBe("nil\n2\n");
    expect(stderr).toMatch(/did not end within 1000 ms[^]*not enough memory/);
  });
});
