/**
 * `make bench`: what a Lua hook costs with 1 KB of text: in the VM, seen from a turn, and in the native `lua5.4` where that
 * is installed (`LUA=/path/to/lua5.4` names another one).
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../packages/opentalon/src/base/clock.ts";
import { createSilentLog } from "../../packages/opentalon/src/base/create-log.ts";
import { createLuaScripts } from "../../packages/opentalon/src/hooks/lua/create-lua-scripts.ts";
import { createLuaMachine } from "../../packages/opentalon/src/hooks/lua/lua-machine.ts";
import { compileLua } from "../../packages/opentalon/src/hooks/lua/lua-module.ts";
import { printTable } from "../support/print-table.ts";

const rounds = 5_000;
const warmUp = 1_000;
const text = "Please book the meeting room for word7, and tell word12 about it. "
  .repeat(16)
  .slice(0, 1_024);

/** A vocabulary of twenty words, a mask and a check: what a rule of a company usually is. */
const script = `
local words = {}
for index = 1, 20 do words["word" .. index] = "Name" .. index end
function prepare(text)
  text = text:gsub("%a+%d+", words)
  text = text:gsub("%d%d%d%d%-%d%d%d%d", "****")
  if text:find("password:", 1, true) then return { send_to_llm = false, message = "no" } end
  return text
end
`;

type Row = readonly [what: string, median: string, p99: string];

function toRow(what: string, timesUs: readonly number[]): Row {
  const sorted = [...timesUs].sort((a, b) => a - b);
  const at = (share: number): string =>
    `${(sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(0)} µs`;
  return [what, at(0.5), at(0.99)];
}

async function measure(run: () => unknown): Promise<readonly number[]> {
  for (let round = 0; round < warmUp; round += 1) await run();
  const timesUs: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    await run();
    timesUs.push((performance.now() - startedAt) * 1_000);
  }
  return timesUs;
}

function measureMachine(machine: { readonly run: () => unknown }): readonly number[] {
  for (let round = 0; round < warmUp; round += 1) machine.run();
  return Array.from({ length: rounds }, () => {
    const startedAt = performance.now();
    machine.run();
    return (performance.now() - startedAt) * 1_000;
  });
}

/** The same file and text in the native interpreter, which reads the file anew for each message as the sandbox does. */
function measureNative(directory: string): Row {
  const lua = process.env["LUA"] ?? "lua5.4";
  const driver = join(directory, "driver.lua");
  writeFileSync(
    driver,
    `local text = ${JSON.stringify(text)}
     local file = assert(io.open(${JSON.stringify(join(directory, "rule.lua"))})):read("a")
     local chunk = assert(load(file))
     for round = 1, ${warmUp} do chunk() prepare(text) end
     local times, batch = {}, 50
     for index = 1, ${rounds} // batch do
       local before = os.clock()
       for _ = 1, batch do chunk() prepare(text) end
       times[index] = (os.clock() - before) / batch * 1e6
     end
     table.sort(times)
     print(times[#times // 2], times[math.ceil(#times * 0.99)])`,
  );
  const ran = spawnSync(lua, [driver], { encoding: "utf8" });
  if (ran.status !== 0) return ["native lua5.4 (means of 50)", "not installed", ""];
  const [median = "", p99 = ""] = ran.stdout.trim().split(/\s+/);
  return [
    "native lua5.4 (means of 50)",
    `${Number(median).toFixed(0)} µs`,
    `${Number(p99).toFixed(0)} µs`,
  ];
}

const directory = mkdtempSync(join(tmpdir(), "opentalon-bench-"));
try {
  writeFileSync(join(directory, "rule.lua"), script);
  const compiled = await compileLua();
  const startedAt = performance.now();
  const machine = createLuaMachine({
    compiled,
    memoryBytes: 64 * 1_048_576,
    environment: {},
    onHostCall: () => ({ value: null }),
    onLine: () => undefined,
  });
  machine.load(script, "rule.lua");
  const bootMs = performance.now() - startedAt;
  const context = {
    message: text,
    session_id: "s",
    actor: "a",
    channel: "c",
    metadata: { k: "v" },
  };
  const log = createSilentLog();
  await using scripts = createLuaScripts({
    directory,
    watch: true,
    limits: { memoryMb: 64, timeoutMs: 5_000, modelTimeoutMs: 5_000, maxModelCalls: 0 },
    environment: {},
    store: { get: () => Promise.resolve(undefined), set: () => Promise.resolve() },
    clock: systemClock,
    log,
  });
  const askModel = (): Promise<string> => Promise.resolve("");
  const firstAt = performance.now();
  await scripts.run("rule", "before", context, { askModel, log });
  const firstMs = performance.now() - firstAt;
  const inMachine = measureMachine({ run: () => machine.run("before", context) });
  const fromTurn = await measure(() => scripts.run("rule", "before", context, { askModel, log }));
  printTable(
    ["one call with 1 KB of text", "median", "p99"],
    [
      toRow("in the VM, in its worker", inMachine),
      toRow("seen from the turn", fromTurn),
      measureNative(directory),
    ],
  );
  process.stdout.write(
    `\na VM is up in ${bootMs.toFixed(0)} ms, the first call through a new worker takes ${firstMs.toFixed(0)} ms\n`,
  );
} finally {
  rmSync(directory, { recursive: true });
}
