/** What a script could do to the program around it, or one message to the next, tried one by one. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { createManualClock, systemClock, type Clock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createLuaScripts, type LuaScripts } from "./create-lua-scripts.ts";
import { createLuaMachine, type LuaMachine, type LuaMachineOptions } from "./lua-machine.ts";
import { type CompiledLua, compileLua } from "./lua-module.ts";
import type { LuaValue } from "./lua-value.ts";
import type { LuaLimits } from "./script-options.ts";
import { createScriptWorkers } from "./script-workers.ts";
import { startLuaWorker } from "./start-lua-worker.ts";

let compiled: CompiledLua;
beforeAll(async () => {
  compiled = await compileLua();
});

const memoryBytes = 24 * 1_048_576;

function start(script: string, options: Partial<LuaMachineOptions> = {}): LuaMachine {
  const machine = createLuaMachine({
    compiled,
    memoryBytes,
    environment: {},
    onHostCall: () => ({ value: null }),
    ...options,
  });
  machine.load(script, "probe.lua");
  return machine;
}

const done = (value: LuaValue) => ({ kind: "done", value });

describe("one message does not see another", () => {
  it("by the state of the random numbers", () => {
    const machine = start(`function plant() math.randomseed(42); return math.random(1000000) end
      function look() return math.random(1000000) end`);
    machine.call("plant", []);
    const seen = [1, 2, 3].map(() => machine.call("look", []));
    const [planted, ...next] = [1, 2].map(() => machine.call("plant", []));
    expect(next).toEqual([planted]);
    expect(new Set(seen.map((each) => JSON.stringify(each))).size).toBe(3);
    const other = start(`function look() return math.random(1000000) end`);
    expect(other.call("look", [])).not.toEqual(seen[0]);
  });

  it("by a call that was left in the middle", () => {
    const machine = start(`function leave(t)
        local close <close> = setmetatable({}, { __close = function() left = t; error("again") end })
        error(t)
      end
      function look() return left == nil end`);
    expect(machine.call("leave", ["secret"])).toMatchObject({ kind: "failed" });
    expect(machine.call("look", [])).toEqual(done(true));
  });

  it("by functions it made with load", () => {
    const machine =
      start(`function plant(t) secret = t; load("function look() return secret end")() end
      function look() return secret == nil end`);
    machine.call("plant", ["secret"]);
    expect(machine.call("look", [])).toEqual(done(true));
  });
});

describe("what comes out stays small", () => {
  it.each([
    [
      "one text in many places",
      `local s = ("x"):rep(1000000)\nlocal t = {} for i = 1, 9000 do t[i] = s end return t`,
    ],
    [
      "one text under many names",
      `local s = ("x"):rep(1000000)\nlocal t = {} for i = 1, 9000 do t["k" .. i] = s end return t`,
    ],
    ["many long names", `local t = {} for i = 1, 15 do t[("k"):rep(500000) .. i] = 1 end return t`],
    [
      "what a host function is given",
      `return os.time({ year = ("x"):rep(1e6), month = ("x"):rep(1e6), day = ("x"):rep(1e6) })`,
    ],
  ])("%s", (_, code) => {
    const machine = start(`function probe() ${code} end function live() return 1 end`);
    expect(machine.call("probe", [])).toMatchObject({
      kind: "failed",
      problem: expect.stringContaining("longer than") as string,
    });
    expect(machine.call("live", [])).toEqual(done(1));
  });

  it("shared tables, which would double at every level", () => {
    const machine = start(
      `function probe() local t = {} for i = 1, 15 do t = { t, t } end return t end`,
    );
    expect(machine.call("probe", [])).toMatchObject({ kind: "failed" });
  });

  it("names of JavaScript's objects are names, at any depth and for the stages too", () => {
    const machine = start(`function pre_hook(ctx)
      ctx.metadata = { ["__proto__"] = "p", constructor = "c", toString = "t" } return ctx end`);
    const outcome = machine.run("before", { message: "m", metadata: {} });
    if (outcome.kind === "failed") throw new Error(outcome.problem);
    const { metadata } = outcome.value as { readonly metadata: object };
    expect(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1))).toEqual([
      ["__proto__", "p"],
      ["constructor", "c"],
      ["toString", "t"],
    ]);
  });
});

describe("memory that is used up", () => {
  it("while an answer of the program comes in is an error of the script, and no broken VM", () => {
    const machine = start(
      `function pre_hook(ctx)
        local hold = {}
        pcall(function() while true do hold[#hold + 1] = ("x"):rep(100000) .. #hold end end)
        local results = {}
        for i = 1, 50 do
          local is_done, value = pcall(ctx.kv_get, "big")
          if is_done then hold[#hold + 1] = value else results.problem = value break end
        end
        hold = nil
        return { message = tostring(results.problem) }
      end
      function live() return 1 end`,
      { onHostCall: () => ({ value: "y".repeat(1_000_000) }) },
    );
    expect(machine.run("before", { message: "m" })).toMatchObject({
      kind: "done",
      value: { message: expect.stringContaining("not enough memory") as string },
    });
    expect(machine.call("live", [])).toEqual(done(1));
  });

  it("is not used up by patterns made from messages", () => {
    const machine = start(`function look(n, text)
        return (("a"):rep(300)):find(text .. "*" .. n) end`);
    for (let turn = 0; turn < 600; turn += 1)
      expect(machine.call("look", [turn, "b".repeat(60_000)])).toEqual(done(null));
    expect(machine.memoryBytes()).toBeLessThanOrEqual(memoryBytes);
  });
});

interface Folder extends AsyncDisposable {
  readonly directory: string;
  readonly scripts: LuaScripts;
  readonly run: (name: string, message: string, signal?: AbortSignal) => Promise<LuaValue>;
}

function openFolder(
  files: Readonly<Record<string, string>>,
  more: Partial<LuaLimits> = {},
): Folder {
  const directory = mkdtempSync(join(tmpdir(), "opentalon-attacks-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const limits = {
    memoryMb: 24,
    timeoutMs: 20_000,
    modelTimeoutMs: 1_000,
    maxModelCalls: 1,
    ...more,
  };
  const log = createSilentLog();
  const scripts = createLuaScripts({
    directory,
    watch: true,
    limits,
    environment: {},
    store: { get: () => Promise.resolve(undefined), set: () => Promise.resolve() },
    clock: systemClock,
    log,
  });
  const askModel = () => Promise.resolve("");
  return {
    directory,
    scripts,
    run: (name, message, signal) =>
      scripts.run(name, "before", { message, metadata: {} }, { askModel, log, signal }),
    [Symbol.asyncDispose]: async () => {
      await scripts[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

describe("threads", () => {
  it(
    "that break end alone; the error names the script, and the next message has another one",
    { timeout: 120_000 },
    async () => {
      await using folder = openFolder({
        "broken.lua": `function prepare(text)
          if text ~= "break" then return text end
          local function f() local x <close> = setmetatable({}, { __close = function() f() end }) error("x") end
          f()
        end`,
      });
      await expect(folder.run("broken", "break")).rejects.toMatchObject({
        name: "HookError",
        script: "broken",
      });
      expect(await folder.run("broken", "fine")).toEqual({ message: "fine" });
    },
  );

  it("that parse what takes long end, with the line", { timeout: 60_000 }, async () => {
    await using folder = openFolder(
      {
        "parse.lua": `function prepare(text)\n  local code = ("elseif a then "):rep(150000)\n  local made = load("if a then " .. code .. " end")\n  return text\nend`,
      },
      { timeoutMs: 1_500 },
    );
    await expect(folder.run("parse", "x")).rejects.toMatchObject({
      code: "HOOK_TIMED_OUT",
      line: 3,
    });
  });

  it("an error as long as a book is cut", async () => {
    await using folder = openFolder({
      "long.lua": `function prepare(text) error(("x"):rep(900000)) end`,
    });
    const error: unknown = await folder.run("long", "x").catch((reason: unknown) => reason);
    expect((error as Error).message.length).toBeLessThan(1_200);
  });

  it("a pipe in the place of a script is refused, and nobody waits for it", async () => {
    await using folder = openFolder({});
    execFileSync("mkfifo", [join(folder.directory, "pipe.lua")]);
    await expect(folder.run("pipe", "x")).rejects.toMatchObject({
      code: "HOOK_UNUSABLE",
      message: expect.stringContaining("it is not a file") as string,
    });
  });

  it.each(["../x", "/etc/passwd", "a/b", "", ".hidden", "a\0b", "x\\..\\y", "-x"])(
    "%j is no name of a script",
    async (name) => {
      await using folder = openFolder({});
      expect(folder.scripts.has(name)).toBe(false);
      await expect(folder.run(name, "x")).rejects.toThrow(RangeError);
    },
  );

  it("a thousand messages at once are all answered by a few", { timeout: 60_000 }, async () => {
    await using folder = openFolder({ "echo.lua": `function prepare(text) return text end` });
    const texts = Array.from({ length: 1_000 }, (_, index) => `${index}`);
    const answers = await Promise.all(texts.map((text) => folder.run("echo", text)));
    expect(answers).toEqual(texts.map((message) => ({ message })));
    expect(folder.scripts.status()[0]?.workers).toBeLessThanOrEqual(6);
  });
});

describe("waiting for a thread", () => {
  const open = (clock: Clock, count: number) =>
    createScriptWorkers({
      start: () =>
        startLuaWorker({ compiled, memoryBytes, environment: {}, maxModelCalls: 0, clock }),
      maxWorkers: count,
      idleMs: 1_000_000,
      patienceMs: 5_000,
      clock,
    });

  it("ends when patience does, however many wait", async () => {
    const clock = createManualClock();
    await using workers = open(clock, 1);
    const busy = await workers.take();
    const waiting = Promise.allSettled(Array.from({ length: 1_000 }, () => workers.take()));
    clock.advance(5_000);
    const reasons = (await waiting).map((each) =>
      each.status === "rejected" ? String(each.reason) : "",
    );
    expect(new Set(reasons)).toEqual(
      new Set(["WaitedTooLongError: all its threads were busy for 5000 ms"]),
    );
    workers.giveBack(busy, true);
    expect(await workers.take()).toBe(busy);
  });

  it("ends with the turn, and the thread is kept for others", async () => {
    await using workers = open(systemClock, 1);
    const busy = await workers.take();
    const turn = new AbortController();
    const left = workers.take(turn.signal);
    const next = workers.take();
    turn.abort(new Error("the turn ended"));
    await expect(left).rejects.toThrow("the turn ended");
    workers.giveBack(busy, true);
    expect(await next).toBe(busy);
    expect(workers.count()).toBe(1);
  });

  it("is over at once where no thread can be started, and tried again by the next", async () => {
    const starts = vi.fn((): never => {
      throw new Error("no more threads");
    });
    await using workers = createScriptWorkers({
      start: starts,
      maxWorkers: 2,
      idleMs: 1,
      patienceMs: 1_000_000,
      clock: systemClock,
    });
    await expect(workers.take()).rejects.toThrow("no more threads");
    await expect(workers.take()).rejects.toThrow("no more threads");
    expect(starts).toHaveBeenCalledTimes(2);
  });
});
