import { expect, test } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { PluginError } from "../base/errors.ts";
import type { Execution } from "../domain/plugin.ts";
import type { RunningPlugin } from "./supervise.ts";
import { supervise } from "./supervise.ts";
import { present } from "./testing/present.ts";

const execution: Execution = {
  callId: "1",
  action: "a",
  arguments: {},
  signal: new AbortController().signal,
  timeoutMs: 1_000,
};
const crashed = new PluginError("key", "crashed", "it crashed");

/** A supervised plugin whose processes are under the test's control. */
function setUp({ claimName = () => "" }: { readonly claimName?: (name: string) => string } = {}) {
  const clock = createManualClock();
  const opened: { readonly crash: () => void; stopped: boolean }[] = [];
  const failures: Error[] = [];
  const states: string[] = [];
  const open = async (): Promise<RunningPlugin> => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    const gone = new AbortController();
    const process = { crash: () => gone.abort(crashed), stopped: false };
    opened.push(process);
    return {
      capabilities: {
        name: "reported",
        description: "",
        tools: [],
        systemPromptAddition: "",
        supportsCallbacks: false,
      },
      gone: gone.signal,
      execute: () =>
        new Promise((_resolve, reject) => {
          gone.signal.addEventListener("abort", () => reject(crashed));
        }),
      stop: async () => {
        process.stopped = true;
      },
    };
  };
  const plugin = supervise({
    entry: { key: "key", command: "x" },
    open,
    claimName,
    clock,
    log: createSilentLog(),
    onChange: () => states.push(plugin.status().state),
  });
  const advance = async (byMs: number): Promise<void> => {
    clock.advance(byMs);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  const crash = (index: number): void => present(opened[index]).crash();
  return { plugin, opened, crash, failures, states, advance };
}

test("a plugin that crashed is started again after a second, and its tools stay known meanwhile", async () => {
  const { plugin, opened, crash, advance } = setUp();
  await plugin.start();
  expect(plugin.status()).toEqual({
    key: "key",
    name: "reported",
    state: "ready",
    problem: "",
    restarts: 0,
  });
  crash(0);
  expect(plugin.status()).toMatchObject({
    name: "reported",
    state: "restarting",
    problem: "it crashed; trying again in 1 s",
  });
  expect(plugin.capabilities()).toBeDefined();
  await advance(999);
  expect(opened).toHaveLength(1);
  expect(opened[0]?.stopped).toBe(true);
  await advance(1);
  expect(plugin.status()).toMatchObject({ state: "ready", restarts: 1 });
  await plugin[Symbol.asyncDispose]();
});

test("the wait doubles up to five minutes", async () => {
  const { plugin, failures, opened, advance } = setUp();
  failures.push(
    ...Array.from({ length: 12 }, () => new PluginError("key", "handshake-failed", "no")),
  );
  await plugin.start();
  const waits: number[] = [];
  for (let attempt = 0; attempt < 11; attempt += 1) {
    const left = failures.length;
    let waitedMs = 0;
    while (failures.length === left) {
      await advance(1_000);
      waitedMs += 1_000;
    }
    waits.push(waitedMs / 1_000);
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  expect(plugin.status()).toMatchObject({
    state: "failed",
    problem: "no; trying again in 5 min",
    restarts: 11,
  });
  expect(plugin.capabilities()).toBeUndefined();
  await advance(300_000);
  expect(plugin.status().state).toBe("ready");
  expect(opened).toHaveLength(1);
  await plugin[Symbol.asyncDispose]();
});

test.each([
  ["ten good minutes", 600_000, "1 s"],
  ["less", 599_999, "2 s"],
])("after %s the next crash waits accordingly", async (_name, goodMs, wait) => {
  const { plugin, crash, advance } = setUp();
  await plugin.start();
  crash(0);
  await advance(1_000);
  await advance(goodMs);
  crash(1);
  expect(plugin.status().problem).toBe(`it crashed; trying again in ${wait}`);
  await plugin[Symbol.asyncDispose]();
});

test("a call during a crash learns of it, a call after it learns when to try again", async () => {
  const { plugin, crash } = setUp();
  await plugin.start();
  const call = plugin.execute(execution);
  crash(0);
  await expect(call).rejects.toBe(crashed);
  await expect(plugin.execute(execution)).rejects.toMatchObject({
    reason: "unavailable",
    message: expect.stringContaining("trying again") as string,
  });
  await plugin[Symbol.asyncDispose]();
});

test("a plugin whose name is refused fails for good and is stopped", async () => {
  const { plugin, opened, advance } = setUp({ claimName: () => "the name is taken" });
  await plugin.start();
  expect(plugin.status()).toMatchObject({ state: "failed", problem: "the name is taken" });
  expect(opened[0]?.stopped).toBe(true);
  await advance(1_000_000);
  expect(opened).toHaveLength(1);
  await plugin[Symbol.asyncDispose]();
  expect(plugin.status().state).toBe("failed");
});

test("disposal stops the plugin and every restart", async () => {
  const { plugin, opened, crash, states, advance } = setUp();
  await plugin.start();
  await plugin[Symbol.asyncDispose]();
  expect(opened[0]?.stopped).toBe(true);
  crash(0);
  await advance(1_000_000);
  expect(opened).toHaveLength(1);
  expect(states).toEqual(["ready", "stopped"]);
});

test("disposal while a restart waits starts nothing", async () => {
  const { plugin, opened, crash, advance } = setUp();
  await plugin.start();
  crash(0);
  await plugin[Symbol.asyncDispose]();
  await advance(1_000_000);
  expect(opened).toHaveLength(1);
  expect(plugin.status().state).toBe("stopped");
});
