import type { Clock } from "../../base/clock.ts";
import type { LuaLimits } from "../../hooks/lua/create-lua-scripts.ts";
import type { CompiledLua } from "../../hooks/lua/lua-module.ts";
import { startLuaWorker, type WorkerOutcome } from "../../hooks/lua/start-lua-worker.ts";

export interface TestFileOptions {
  readonly compiled: CompiledLua;
  readonly limits: LuaLimits;
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

export interface LuaText {
  /** As errors name it. */
  readonly name: string;
  readonly source: string;
}

export interface TestRun {
  readonly name: string;
  /** What went wrong and what the test printed; empty when it passed. */
  readonly problems: readonly string[];
}

/** Only a machine that stands still takes so long to begin. */
const startTimeoutMs = 30_000;

/**
 * Runs the functions `test_*` of a file, each in an environment of its own that also holds the functions of the script
 * under test. A file that cannot be loaded is one failed test.
 */
export async function runTestFile(
  { tests, script }: { readonly tests: LuaText; readonly script?: LuaText | undefined },
  { compiled, limits, environment, clock }: TestFileOptions,
): Promise<readonly TestRun[]> {
  const run = async (test: string): Promise<{ outcome: WorkerOutcome; printed: string[] }> => {
    const worker = startLuaWorker({
      compiled,
      memoryBytes: limits.memoryMb * 1_048_576,
      environment,
      maxModelCalls: 0,
      clock,
    });
    const printed: string[] = [];
    const ports = {
      timeoutMs: limits.timeoutMs,
      onLog: (_level: string, text: string) => void printed.push(text),
      onHostCall: () => Promise.reject(new Error("not available in a test: use sample{}")),
    };
    try {
      await worker.ready;
      await worker.request(
        { kind: "load", source: driver, name: "driver.lua" },
        { ...ports, timeoutMs: startTimeoutMs },
      );
      const context = { message: "", tests: { ...tests }, script: { ...script }, test };
      const outcome = await worker.request({ kind: "run", stage: "before", context }, ports);
      return { outcome, printed };
    } finally {
      await worker.terminate();
    }
  };
  const explain = (outcome: Exclude<WorkerOutcome, { kind: "done" }>): string =>
    outcome.kind === "timed-out" ? `did not end within ${limits.timeoutMs} ms` : outcome.problem;

  const { outcome: listed } = await run("");
  if (listed.kind !== "done") return [{ name: "(load)", problems: [explain(listed)] }];
  const { names } = listed.value as { readonly names: unknown };
  if (!Array.isArray(names) || names.length === 0)
    return [
      { name: "(load)", problems: ["the file has no function whose name begins with test_"] },
    ];
  const runs: TestRun[] = [];
  for (const name of names.map(String).sort()) {
    const { outcome, printed } = await run(name);
    const problems =
      outcome.kind === "done"
        ? []
        : [...explain(outcome).split("\n"), ...printed.map((line) => `printed: ${line}`)];
    runs.push({ name, problems });
  }
  return runs;
}

/**
 * What a test finds besides the script's functions: `sample{…}` makes a `ctx`, whose `llm` and `kv` stand for the model and
 * the store, and `assert_equal(got, expected)` shows both.
 */
const driver = `
local load, error, type, pairs, tostring, select, concat = load, error, type, pairs, tostring, select, table.concat
local globals = _G

local function run_file(file)
  local chunk, problem = load(file.source, "=" .. file.name)
  if chunk == nil then error(problem, 0) end
  chunk()
end

local function quote(value)
  return type(value) == "string" and '"' .. value .. '"' or tostring(value)
end

function pre_hook(given)
  function assert_equal(got, expected)
    if got ~= expected then error("expected " .. quote(expected) .. "\\n     got " .. quote(got), 2) end
  end
  function sample(fields)
    fields = fields or {}
    local answers, kv, asked = fields.llm or {}, fields.kv or {}, 0
    local context = { message = "", session_id = "console:local", actor = "console:local", channel = "console",
      channel_kind = "console", response_format = "", metadata = {}, logged = {}, kv = kv }
    for key, value in pairs(fields) do if key ~= "llm" then context[key] = value end end
    context.log = function(level, ...)
      local words = {}
      for index = 1, select("#", ...) do words[index] = tostring((select(index, ...))) end
      context.logged[#context.logged + 1] = tostring(level) .. ": " .. concat(words, "\\t")
    end
    context.kv_get = function(key) return kv[tostring(key)] end
    context.kv_set = function(key, value) kv[tostring(key)] = value ~= nil and tostring(value) or nil end
    context.llm = function()
      asked = asked + 1
      local answer = answers[asked]
      if answer == nil then error("ctx.llm: the test has no answer left", 2) end
      if type(answer) == "table" then error("ctx.llm: " .. tostring(answer.error), 2) end
      return answer
    end
    return context
  end
  if given.script.source ~= nil then run_file(given.script) end
  run_file(given.tests)
  if given.test ~= "" then
    globals[given.test]()
    return {}
  end
  local names = {}
  for name, value in pairs(globals) do
    if type(name) == "string" and name:sub(1, 5) == "test_" and type(value) == "function" then
      names[#names + 1] = name
    end
  end
  return { names = names }
end
`;
