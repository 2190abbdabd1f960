import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { HookError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { createLuaScripts, type LuaScripts } from "./create-lua-scripts.ts";
import type { AskModel, LuaLimits } from "./script-options.ts";
import type { LuaValue } from "./lua-value.ts";

interface Folder extends AsyncDisposable {
  readonly scripts: LuaScripts;
  readonly save: (name: string, text: string) => void;
  /** Runs the first stage over a message. */
  readonly run: (name: string, message?: string, signal?: AbortSignal) => Promise<LuaValue>;
  readonly kept: ReadonlyMap<string, string>;
}

const limits: LuaLimits = {
  memoryMb: 24,
  timeoutMs: 20_000,
  modelTimeoutMs: 20_000,
  maxModelCalls: 3,
};

function openFolder(
  files: Readonly<Record<string, string>>,
  options: {
    readonly limits?: Partial<LuaLimits>;
    readonly askModel?: AskModel;
    readonly watch?: boolean;
    readonly log?: Log;
  } = {},
): Folder {
  const directory = mkdtempSync(join(tmpdir(), "opentalon-lua-"));
  const save = (name: string, text: string): void => {
    writeFileSync(join(directory, "saving"), text);
    renameSync(join(directory, "saving"), join(directory, `${name}.lua`));
  };
  for (const [name, text] of Object.entries(files)) save(name, text);
  const kept = new Map<string, string>();
  const log = options.log ?? createSilentLog();
  const scripts = createLuaScripts({
    directory,
    watch: options.watch ?? true,
    limits: { ...limits, ...options.limits },
    environment: {},
    store: {
      get: (script, key) => Promise.resolve(kept.get(`${script}/${key}`)),
      set: (script, key, value) => {
        if (value === undefined) kept.delete(`${script}/${key}`);
        else kept.set(`${script}/${key}`, value);
        return Promise.resolve();
      },
    },
    clock: systemClock,
    log,
  });
  const { askModel = (prompt, alias) => Promise.resolve(`${alias}:${prompt}`) } = options;
  return {
    scripts,
    save,
    kept,
    run: (name, message = "hello", signal) =>
      scripts.run(name, "before", { message, metadata: {} }, { askModel, signal, log }),
    [Symbol.asyncDispose]: async () => {
      await scripts[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

/** The error a run ends with. */
async function failure(run: Promise<unknown>): Promise<HookError> {
  const error: unknown = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof HookError)) throw new Error(`no HookError but ${String(error)}`);
  return error;
}

const echo = `function prepare(text) return text end`;

describe("scripts in threads", () => {
  it("are listed by name, without their tests, and told apart from what is not there", async () => {
    await using folder = openFolder({ b: echo, a: echo, a_test: echo });
    expect(folder.scripts.list()).toEqual(["a", "b"]);
    expect(folder.scripts.has("a")).toBe(true);
    expect(folder.scripts.has("c")).toBe(false);
    expect((await failure(folder.run("c"))).code).toBe("HOOK_UNUSABLE");
    await expect(folder.run("../a")).rejects.toThrow(RangeError);
  });

  it("keep values, ask models and log, as if all of that were at hand", async () => {
    await using folder = openFolder({
      all: `function pre_hook(ctx)
        ctx.kv_set("seen", (tonumber(ctx.kv_get("seen")) or 0) + 1)
        local answers = {}
        -- Also inside a callback of the library.
        ctx.message:gsub("%w", function(letter) answers[#answers + 1] = ctx.llm(letter, "small") end)
        ctx.message = table.concat(answers, " ") .. " " .. ctx.kv_get("seen")
      end`,
    });
    expect(await folder.run("all", "ab")).toMatchObject({ message: "small:a small:b 1" });
    expect(await folder.run("all", "c")).toMatchObject({ message: "small:c 2" });
    expect([...folder.kept]).toEqual([["all/seen", "2"]]);
  });

  it("get an error they may catch when a model cannot answer", async () => {
    await using folder = openFolder(
      {
        caught: `function prepare(t) local _, e = pcall(ctx or error, "x") return t end
        function filter(ctx) local ok, e = pcall(ctx.llm, "x") return { drop = true, reason = e } end`,
        thrown: `function filter(ctx)\n  ctx.llm("x")\nend`,
      },
      { askModel: () => Promise.reject(new Error("no model is left")) },
    );
    expect(await folder.run("caught")).toMatchObject({ reason: "ctx.llm: no model is left" });
    const error = await failure(folder.run("thrown"));
    expect(error).toMatchObject({ code: "HOOK_FAILED", script: "thrown", line: 2 });
    expect(error.message).toBe("lua:thrown, line 2: ctx.llm: no model is left");
  });

  it("are not charged for the time a model takes", async () => {
    const answer = Promise.withResolvers<string>();
    await using folder = openFolder(
      { slow: `function filter(ctx) return { drop = true, reason = ctx.llm("x") } end` },
      {
        limits: { timeoutMs: 300 },
        askModel: () => {
          setTimeout(() => answer.resolve("late"), 900);
          return answer.promise;
        },
      },
    );
    expect(await folder.run("slow")).toMatchObject({ reason: "late" });
  });

  it("wait for one answer of a model only so long", async () => {
    await using folder = openFolder(
      { slow: `function filter(ctx)\n  return { drop = true, reason = ctx.llm("x") }\nend` },
      { limits: { modelTimeoutMs: 50 }, askModel: () => new Promise(() => undefined) },
    );
    expect((await failure(folder.run("slow"))).message).toBe(
      "lua:slow, line 2: ctx.llm: no answer within 50 ms",
    );
  });
});

describe("what does not end by itself", () => {
  it.each([
    ["a loop", `\nwhile true do end`, 3],
    ["a loop that catches everything", `\nwhile true do pcall(error) end`, 3],
    [
      "a pattern that backtracks",
      `\nlocal s = ("a"):rep(100000)\nreturn s:find(".-.-.-.-b")`,
      undefined,
    ],
    [
      "a pattern, not as the last call",
      `\nlocal s = ("a"):rep(100000)\nlocal r = s:find(".-.-.-.-b")\nreturn "x"`,
      4,
    ],
    ["an endless move", `\nlocal t = table.move({}, 1, 1e15, 2)\nreturn "x"`, 3],
    ["models asked for ever", `\nwhile true do pcall(ctx.llm, "x") end`, 3],
    ["a store asked for ever", `\nwhile true do pcall(ctx.kv_get, "x") end`, 3],
    ["a log without end", `\nwhile true do ctx.log("info", ("x"):rep(10000)) end`, 3],
  ])("%s is ended, with the line", async (_, code, line) => {
    await using folder = openFolder(
      {
        trap: `function filter(ctx) if ctx.message == "stay" then\n${code}\nend end`.replace(
          "\n\n",
          "\n",
        ),
      },
      { limits: { timeoutMs: 1_000 } },
    );
    await folder.run("trap");
    const error = await failure(folder.run("trap", "stay"));
    expect(error).toMatchObject({ code: "HOOK_TIMED_OUT", script: "trap" });
    if (line !== undefined) expect(error.line).toBe(line - 1);
    expect(await folder.run("trap")).toEqual({});
  });

  it.each([
    ["models", `while true do ctx.llm("x") end`, "no more than 3 calls"],
    ["the store", `while true do ctx.kv_get("x") end`, "no more than 200 calls"],
  ])("asking %s too often is an error", async (_, code, words) => {
    await using folder = openFolder({ trap: `function filter(ctx)\n${code}\nend` });
    const error = await failure(folder.run("trap"));
    expect(error).toMatchObject({ code: "HOOK_FAILED", line: 2 });
    expect(error.message).toContain(words);
  });

  it("keeps nobody else waiting", async () => {
    await using folder = openFolder({
      trap: `function prepare(text) while text == "hang" do end return text end`,
    });
    await folder.run("trap");
    const abort = new AbortController();
    const stuck = Promise.allSettled([1, 2].map(() => folder.run("trap", "hang", abort.signal)));
    for (let round = 0; round < 5; round += 1)
      expect(await folder.run("trap")).toEqual({ message: "hello" });
    abort.abort(new Error("over"));
    expect((await stuck).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await vi.waitFor(() => expect(folder.scripts.status()[0]?.workers).toBeLessThanOrEqual(4));
  });

  it("memory is bounded, and the error says by what", async () => {
    await using folder = openFolder({
      bomb: `function prepare(text)\n  local t = {}\n  while true do t[#t + 1] = text .. #t end\nend`,
    });
    const error = await failure(folder.run("bomb"));
    expect(error).toMatchObject({ code: "HOOK_OUT_OF_MEMORY", line: 3 });
    expect(error.message).toContain("lua.limits.memory_mb is 24");
  });
});

describe("a script that is saved", () => {
  it("is used by the next message, whether it was written or put in its place", async () => {
    await using folder = openFolder({ rule: echo });
    for (let version = 0; version < 20; version += 1) {
      folder.save("rule", `function prepare() return "v${version}" end`);
      expect(await folder.run("rule")).toEqual({ message: `v${version}` });
    }
  });

  it("is looked at only once when it is not to be watched", async () => {
    await using folder = openFolder({ rule: echo }, { watch: false });
    await folder.run("rule");
    folder.save("rule", `function prepare() return "changed" end`);
    expect(await folder.run("rule")).toEqual({ message: "hello" });
  });

  it.each([
    ["a syntax error", "function prepare(", 1],
    ["an error when it is loaded", `\nerror("broken")`, 2],
    ["a loop when it is loaded", `\nwhile true do end`, 2],
  ])("with %s leaves the last good one running, and says so once", async (_, text, line) => {
    const said: { line: unknown; text: string }[] = [];
    const silent = createSilentLog();
    const log = {
      ...silent,
      child: () => log,
      error: (fields: { line?: unknown }, words: string) =>
        void said.push({ line: fields.line, text: words }),
      info: () => undefined,
    } as unknown as Log;
    await using folder = openFolder({ rule: `function prepare() return "good" end` }, { log });
    expect(await folder.run("rule")).toEqual({ message: "good" });
    folder.save("rule", text);
    for (let round = 0; round < 3; round += 1)
      expect(await folder.run("rule")).toEqual({ message: "good" });
    await vi.waitFor(() => expect(said).toHaveLength(1), 20_000);
    expect(said[0]?.line).toBe(line);
    expect(said[0]?.text).toContain("the last version that worked stays in use");
    expect(folder.scripts.status()[0]?.problem).toContain(`lua:rule, line ${line}`);
    folder.save("rule", `function prepare() return "better" end`);
    expect(await folder.run("rule")).toEqual({ message: "better" });
    expect(folder.scripts.status()[0]?.problem).toBe("");
  });

  it("with an error from the start is refused until it is corrected", async () => {
    await using folder = openFolder({ rule: "x = = 1" });
    for (let round = 0; round < 2; round += 1)
      expect(await failure(folder.run("rule"))).toMatchObject({ code: "HOOK_UNUSABLE", line: 1 });
    folder.save("rule", echo);
    expect(await folder.run("rule")).toEqual({ message: "hello" });
  });
});

it("many messages at once find one changed file, and all of them use it", async () => {
  await using folder = openFolder({ rule: echo });
  await folder.run("rule");
  for (let version = 0; version < 5; version += 1) {
    folder.save("rule", `function prepare() return "v${version}" end`);
    const all = await Promise.all(Array.from({ length: 30 }, () => folder.run("rule")));
    expect(all).toEqual(all.map(() => ({ message: `v${version}` })));
  }
  expect(folder.scripts.status()[0]?.workers).toBeLessThanOrEqual(6);
});
