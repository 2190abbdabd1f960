import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createLuaMachine } from "./lua-machine.ts";
import { compileLua } from "./lua-module.ts";
import { createLuaScripts } from "./create-lua-scripts.ts";

/** `make fuzz` asks for the long run: ten thousand calls, a thousand reloads. */
const isLong = process.env["OPENTALON_FUZZ_RUNS"] !== undefined;
const calls = isLong ? 10_000 : 1_000;
const reloads = isLong ? 1_000 : 60;
const maxGrowthBytes = 64 * 1_048_576;

describe("in the long run", () => {
  it(
    `memory stays flat over ${calls} calls and ${reloads} reloads`,
    { timeout: 300_000 },
    async () => {
      const directory = mkdtempSync(join(tmpdir(), "opentalon-lua-"));
      try {
        const path = join(directory, "rule.lua");
        const write = (version: number): void =>
          writeFileSync(
            path,
            `local words = {} for i = 1, 200 do words["w" .. i] = ("x"):rep(100) .. i end
           function prepare(text) junk = {} for i = 1, 100 do junk[i] = text .. i end return "${version} " .. text end`,
          );
        write(0);
        const log = createSilentLog();
        await using scripts = createLuaScripts({
          directory,
          watch: true,
          limits: { memoryMb: 64, timeoutMs: 60_000, modelTimeoutMs: 1_000, maxModelCalls: 1 },
          environment: {},
          store: { get: () => Promise.resolve(undefined), set: () => Promise.resolve() },
          clock: systemClock,
          log,
        });
        const askModel = (): Promise<string> => Promise.resolve("");
        const run = (): Promise<unknown> =>
          scripts.run(
            "rule",
            "before",
            { message: "x".repeat(1_024), metadata: {} },
            { askModel, log },
          );
        // Threads, heaps and caches come up to their size first.
        for (let index = 0; index < 400; index += 1) await run();
        const beforeBytes = process.memoryUsage.rss();
        for (let index = 0; index < calls; index += 1) await run();
        for (let version = 1; version <= reloads; version += 1) {
          write(version);
          expect(await run()).toEqual({ message: `${version} ${"x".repeat(1_024)}` });
        }
        expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan(maxGrowthBytes);
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
  );

  it("any JSON goes into a script and comes out as it was, but for what Lua has no word for", async () => {
    const machine = createLuaMachine({
      compiled: await compileLua(),
      memoryBytes: 64 * 1_048_576,
      environment: {},
      onHostCall: () => ({ value: null }),
    });
    machine.load("function echo(value) return { value } end", "echo.lua");
    const text = fc.string({ unit: "grapheme" });
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        text,
        fc.boolean(),
        fc
          .double({ noNaN: true, noDefaultInfinity: true })
          .map((number) => (number === 0 ? 0 : number)),
        fc.maxSafeInteger(),
        // An empty table could be either; a list needs an element.
        fc.array(tie("any"), { minLength: 1, maxLength: 5 }),
        fc.dictionary(text, tie("any"), { minKeys: 1, maxKeys: 5 }),
      ),
    })).any;
    fc.assert(
      fc.property(value, (given) => {
        const outcome = machine.call("echo", [given as never]);
        expect(outcome).toEqual({ kind: "done", value: [given] });
      }),
    );
  });

  it("any text as a script is an outcome, never an exception", async () => {
    const machine = createLuaMachine({
      compiled: await compileLua(),
      memoryBytes: 64 * 1_048_576,
      environment: {},
      onHostCall: () => ({ value: null }),
    });
    const word = fc.constantFrom(
      "function ",
      "end ",
      "do ",
      "local x = ",
      "x",
      "(",
      ")",
      "{",
      "}",
      '"',
      "'",
      "[[",
      "..",
      "\\",
      "return ",
      "load",
      "_ENV",
      "= ",
      "1e",
      "::",
      "#",
      "--[[",
      "\0",
      "\u{1F600}",
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        const source = words.join("");
        // None of these words makes a loop; those are left to the tests with threads.
        expect(["done", "failed"]).toContain(machine.load(source, "any.lua").kind);
      }),
    );
  });
});
