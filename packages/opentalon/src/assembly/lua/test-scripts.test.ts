import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { type ScriptTestResult, testScripts } from "./test-scripts.ts";

const limits = { memoryMb: 32, timeoutMs: 5_000, modelTimeoutMs: 1_000, maxModelCalls: 2 };

async function run(
  files: Readonly<Record<string, string>>,
  timeoutMs: number = limits.timeoutMs,
): Promise<readonly ScriptTestResult[]> {
  const directory = mkdtempSync(join(tmpdir(), "opentalon-lua-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
    return await testScripts({
      directory,
      limits: { ...limits, timeoutMs },
      environment: {},
      clock: systemClock,
      log: createSilentLog(),
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function problemsOf(results: readonly ScriptTestResult[]): readonly string[] {
  return results.map(({ problems }) => problems.join("\n"));
}

const shout = "function prepare(text) return text:upper() end";

it("compares messages, and shows how they differ", async () => {
  const results = await run({
    "shout.lua": shout,
    "shout.cases.yaml": `cases:
  - {name: right, message: a, expect: A}
  - {name: wrong, message: "a\\nb", expect: "A\\nC"}
  - {name: parts, message: abc, expect: {contains: [B, X], lacks: C}}`,
  });
  expect(results.map(({ name, line, isPassed }) => [name, line, isPassed])).toEqual([
    ["right", 2, true],
    ["wrong", 3, false],
    ["parts", 4, false],
  ]);
  expect(problemsOf(results)[1]).toBe("message is different, from its line 2:\n- C\n+ B");
  expect(problemsOf(results)[2]).toBe('message lacks "X": "ABC"\nmessage must not hold "C": "ABC"');
});

it("compares refusals, actions, metadata, what is kept, and errors", async () => {
  const results = await run({
    "all.lua": `function pre_hook(ctx)
      local word = ctx.message
      if word == "no" then return { send_to_llm = false, message = "never" } end
      if word == "do" then return { send_to_llm = false, invoke = { plugin = "p", action = "a", args = { x = "1" } } } end
      if word == "bad" then error("oh dear") end
      if word == "ask" then ctx.message = ctx.llm("q") .. ctx.llm("q") end
      ctx.metadata.seen = (ctx.kv_get("seen") or "") .. "!"
      ctx.kv_set("seen", ctx.metadata.seen)
      return ctx
    end`,
    "all.cases.yaml": `cases:
  - {message: "no", expect: {refused: never}}
  - {message: "do", expect: {invoke: {plugin: p, action: a, args: {x: "1"}}}}
  - {message: bad, expect: {error: oh dear}}
  - {message: ask, llm: [a, b], expect: ab}
  - {message: x, kv: {seen: "?"}, metadata: {old: "1"}, expect: {metadata: {seen: "?!", old: "1", other: null}, kv: {seen: "?!"}}}
  - {message: x, expect: {metadata: {seen: "!"}}}
  - {message: x, expect: {refused: true}}
  - {message: ask, llm: [{error: away}], expect: {error: away}}
  - {message: ask, llm: [a], expect: {error: no answer left}}`,
  });
  expect(problemsOf(results)).toEqual([
    "",
    "",
    "",
    "",
    "",
    "",
    'expected that the message is refused, but the message went on: "x"',
    "",
    "",
  ]);
});

it("runs the functions test_* of a file, each afresh, with the script's functions", async () => {
  const results = await run(
    {
      "shout.lua": shout,
      "shout_test.lua": `count = 0
      function test_a() count = count + 1 assert_equal(prepare("a"), "A") assert(count == 1) end
      function test_b() count = count + 1 assert(count == 1) end
      function test_equal() print("seen") assert_equal("a", 'b') end
      function test_plain() assert(false, "no good") end
      function test_sample()
        local ctx = sample{ message = "m", llm = { "x", { error = "away" } }, kv = { k = "v" } }
        assert_equal(ctx.llm("q"), "x")
        assert(not pcall(ctx.llm, "q"))
        assert_equal(ctx.kv_get("k"), "v")
        ctx.log("info", "hi", 1)
        assert_equal(ctx.logged[1], "info: hi\\t1")
      end
      function test_endless() while true do end end
      function helper() error("is not called") end`,
    },
    1_500,
  );
  expect(results.map(({ name }) => name)).toEqual([
    "test_a",
    "test_b",
    "test_endless",
    "test_equal",
    "test_plain",
    "test_sample",
  ]);
  expect(problemsOf(results)).toEqual([
    "",
    "",
    "did not end within 1500 ms",
    'shout_test.lua:4: expected "b"\n     got "a"\nprinted: seen',
    expect.stringContaining("no good") as string,
    "",
  ]);
});

it("says what is wrong with a file of tests, and goes on with the others", async () => {
  const results = await run({
    "shout.lua": shout,
    "a.cases.yaml": "cases: []",
    "b.cases.yaml": "cases:\n  - {message: a, expects: b}",
    "c.cases.yaml": "cases: [",
    "d.cases.yaml": "cases:\n  - {message: a, expect: b}",
    "e_test.lua": "function",
    "f_test.lua": "x = 1",
    "shout.cases.yaml": "cases:\n  - {message: a, expect: A}",
  });
  expect(problemsOf(results)).toEqual([
    expect.stringContaining("a list of 1 to 1000 cases") as string,
    expect.stringContaining('the case in line 2: there is no key "expects"') as string,
    expect.stringContaining("line 1: this is not valid YAML") as string,
    expect.stringContaining("the script failed") as string,
    expect.stringContaining("e_test.lua:1:") as string,
    expect.stringContaining("no function whose name begins with test_") as string,
    "",
  ]);
});

it("refuses a folder that is not there or holds no tests", async () => {
  await expect(run({})).rejects.toThrow("holds no tests");
  const options = { limits, environment: {}, clock: systemClock, log: createSilentLog() };
  await expect(testScripts({ ...options, directory: "/nowhere/at/all" })).rejects.toThrow(
    "cannot read the folder",
  );
});
