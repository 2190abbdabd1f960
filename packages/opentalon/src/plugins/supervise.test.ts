import { expect, test } from "vitest";
import { PluginError } from "../base/errors.ts";
import { present } from "./testing/present.ts";
import {
  crashed,
  hang,
  superviseFake as setUp,
  toCapabilities,
  toExecution,
} from "./testing/supervise-fake.ts";

const execution = toExecution();

test("a plugin that crashed is started again at once, and its tools stay known meanwhile", async () => {
  const { plugin, opened, crash, advance } = setUp();
  await plugin.start();
  expect(plugin.status()).toEqual({
    key: "key",
    name: "reported",
    state: "ready",
    problem: "",
    restarts: 0,
    sinceMs: 1_700_000_000_000,
    pid: 100,
    actions: 0,
    version: undefined,
  });
  crash(0);
  expect(plugin.status()).toMatchObject({
    name: "reported",
    state: "restarting",
    problem: "it crashed; trying again in 200 ms",
  });
  expect(plugin.capabilities()).toBeDefined();
  await advance(199);
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
  ["ten good minutes", 600_000, "200 ms"],
  ["less", 599_999, "1 s"],
])("after %s the next crash waits accordingly", async (_name, goodMs, wait) => {
  const { plugin, crash, advance } = setUp();
  await plugin.start();
  crash(0);
  await advance(200);
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

test("a plugin that is still being built or started says so to its callers", async () => {
  const built = Promise.withResolvers<{
    readonly command: readonly string[];
    readonly version: string;
  }>();
  const { plugin, gate, states, settle } = setUp({ entry: { prepare: () => built.promise } });
  const started = Promise.withResolvers<void>();
  gate.promise = started.promise;
  const start = plugin.start();
  await expect(plugin.execute(execution)).rejects.toThrow(
    "not ready: it is being built; try again in a minute",
  );
  built.resolve({ command: ["x"], version: "v1.2.3" });
  await settle();
  await expect(plugin.execute(execution)).rejects.toThrow("not ready: it is still starting");
  started.resolve();
  await start;
  expect(plugin.status()).toMatchObject({ state: "ready", version: "v1.2.3" });
  expect(states).toEqual(["building", "starting", "ready"]);
  await plugin[Symbol.asyncDispose]();
});

test("a plugin that may not be started again stays stopped, until somebody says so", async () => {
  const { plugin, opened, crash, advance } = setUp({ entry: { restartOnFailure: false } });
  await plugin.start();
  crash(0);
  expect(plugin.status()).toMatchObject({ state: "stopped", restarts: 0 });
  expect(plugin.status().problem).toBe(
    'it crashed; plugins.tools.restart_on_failure forbids to start it again; once the cause is mended, "opentalon plugin restart key" starts it',
  );
  expect(plugin.capabilities()).toBeUndefined();
  await expect(plugin.execute(execution)).rejects.toThrow("plugin restart key");
  await advance(1_000_000);
  expect(opened).toHaveLength(1);
  expect(await plugin.reload()).toEqual({ kind: "reloaded" });
  expect(plugin.status()).toMatchObject({ state: "ready", problem: "", restarts: 1 });
  await plugin[Symbol.asyncDispose]();
});

test("restarts in a row are counted until it has run well for ten minutes", async () => {
  const { plugin, opened, crash, failures, advance } = setUp({ entry: { maxRestarts: 2 } });
  await plugin.start();
  crash(0);
  await advance(200);
  failures.push(new PluginError("key", "handshake-failed", "no"));
  crash(1);
  await advance(1_000);
  expect(plugin.status()).toMatchObject({ state: "stopped", restarts: 2 });
  expect(plugin.status().problem).toContain(
    "no; it was started again 2 times in a row, which is all that plugins.tools.max_restarts allows",
  );
  await advance(1_000_000);
  expect(opened).toHaveLength(2);
  await plugin.reload();
  crash(2);
  await advance(200);
  await advance(600_000);
  for (const index of [3, 4]) {
    crash(index);
    await advance(1_000);
  }
  expect(plugin.status().state).toBe("ready");
  await plugin[Symbol.asyncDispose]();
});

test("a server elsewhere is looked for without end, at least every half minute", async () => {
  const entry = { maxRestarts: 1, restartOnFailure: false };
  const { plugin, failures, advance } = setUp({ entry, isRemote: true });
  failures.push(...Array.from({ length: 12 }, () => new PluginError("key", "unavailable", "no")));
  await plugin.start();
  for (let tries = 0; tries < 12; tries += 1) await advance(30_000);
  expect(plugin.status()).toMatchObject({ state: "ready", restarts: 12 });
  await plugin[Symbol.asyncDispose]();
});

test("a call to a server elsewhere may end over the connection that was lost for new ones", async () => {
  const { plugin, opened, crash, advance, settle } = setUp({ isRemote: true });
  await plugin.start();
  const call = plugin.execute(execution);
  crash(0);
  await advance(200);
  expect(plugin.status()).toMatchObject({ state: "ready", restarts: 1 });
  expect(opened[0]?.stopped).toBe(false);
  present(opened[0]).answer();
  expect((await call).content).toBe("done");
  await settle();
  expect(opened[0]?.stopped).toBe(true);
  await plugin[Symbol.asyncDispose]();
});

test("a plugin that is asked what it can do by now answers under the name it has", async () => {
  const { plugin, opened, states, advance } = setUp({ entry: { refreshIntervalMs: 900_000 } });
  await plugin.start();
  present(opened[0]).refresh = () => Promise.resolve(toCapabilities("reported", ["new"]));
  await advance(59_999);
  expect(plugin.status().actions).toBe(0);
  await advance(1);
  expect(plugin.capabilities()?.tools.map(({ action }) => action)).toEqual(["new"]);
  expect(states).toEqual(["ready", "ready"]);
  let asked = 0;
  present(opened[0]).refresh = () => {
    asked += 1;
    return Promise.reject(new PluginError("key", "unavailable", "not now"));
  };
  await advance(900_000);
  await advance(900_000);
  expect(asked).toBe(2);
  expect(plugin.status().actions).toBe(1);
  present(opened[0]).refresh = () => {
    asked += 1;
    return Promise.resolve(undefined);
  };
  await advance(900_000);
  await advance(9_000_000);
  expect(asked).toBe(3);
  await plugin[Symbol.asyncDispose]();
});

test("a plugin that hangs is found out and started again", async () => {
  const { plugin, opened, advance } = setUp({ entry: { healthCheckIntervalMs: 30_000 } });
  await plugin.start();
  present(opened[0]).check = hang;
  await advance(30_000);
  await advance(5_000);
  await advance(5_000);
  expect(plugin.status().state).toBe("ready");
  await advance(5_000);
  expect(plugin.status()).toMatchObject({ state: "restarting" });
  expect(plugin.status().problem).toContain(
    'the plugin "key" failed 2 health checks in a row: it did not answer within 5 s, as a program that hangs',
  );
  expect(opened[0]?.stopped).toBe(true);
  await advance(200);
  expect(plugin.status()).toMatchObject({ state: "ready", restarts: 1 });
  await plugin[Symbol.asyncDispose]();
});
