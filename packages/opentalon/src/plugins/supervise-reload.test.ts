import { expect, test } from "vitest";
import { PluginError } from "../base/errors.ts";
import { present } from "./testing/present.ts";
import { superviseFake, toCapabilities, toExecution } from "./testing/supervise-fake.ts";

const execution = toExecution();
const refused = new PluginError("key", "handshake-failed", "no");

test("a reload gives new calls to the new process, and the old one finishes its own", async () => {
  const { plugin, opened, states, next, settle } = superviseFake();
  await plugin.start();
  const before = plugin.execute(execution);
  next.capabilities = toCapabilities("renamed", ["more"]);
  expect(await plugin.reload()).toEqual({ kind: "reloaded" });
  expect(plugin.status()).toMatchObject({ name: "renamed", pid: 101, actions: 1, restarts: 1 });
  expect(opened.map(({ stopped }) => stopped)).toEqual([false, false]);
  const after = plugin.execute(execution);
  present(opened[1]).answer();
  await after;
  present(opened[0]).answer();
  expect((await before).content).toBe("done");
  await settle();
  expect(opened.map(({ stopped }) => stopped)).toEqual([true, false]);
  expect(states).toEqual(["ready", "ready"]);
  await plugin[Symbol.asyncDispose]();
  expect(opened[1]?.stopped).toBe(true);
});

test("calls go on while the new process takes its time, and reloads meanwhile are one", async () => {
  const { plugin, opened, gate, settle } = superviseFake();
  await plugin.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  gate.promise = promise;
  const reloads = [plugin.reload(), plugin.reload()];
  await settle();
  const call = plugin.execute(execution);
  present(opened[0]).answer();
  expect((await call).content).toBe("done");
  resolve();
  expect(await Promise.all(reloads)).toEqual([{ kind: "reloaded" }, { kind: "reloaded" }]);
  expect(opened).toHaveLength(2);
  await plugin[Symbol.asyncDispose]();
});

test("when the new process does not come up, the old one stays, and the reason is told", async () => {
  const { plugin, opened, failures, states } = superviseFake();
  await plugin.start();
  failures.push(refused);
  expect(await plugin.reload()).toEqual({ kind: "failed", problem: "no", keptRunning: true });
  expect(plugin.status()).toMatchObject({ state: "ready", restarts: 0 });
  expect(opened).toHaveLength(1);
  expect(opened[0]?.stopped).toBe(false);
  expect(states).toEqual(["ready"]);
  await plugin[Symbol.asyncDispose]();
});

test("when the new process has a name it cannot have, the old one stays", async () => {
  const claimName = (name: string): string => (name === "reported" ? "" : "the name is taken");
  const { plugin, opened, next } = superviseFake({ claimName });
  await plugin.start();
  next.capabilities = toCapabilities("other");
  expect(await plugin.reload()).toEqual({
    kind: "failed",
    problem: "the name is taken",
    keptRunning: true,
  });
  expect(opened.map(({ stopped }) => stopped)).toEqual([false, true]);
  expect(plugin.status()).toMatchObject({ name: "reported", state: "ready" });
  await plugin[Symbol.asyncDispose]();
});

test("a process that is lost during its reload is replaced by the new one", async () => {
  const { plugin, opened, crash, gate, settle, advance } = superviseFake();
  await plugin.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  gate.promise = promise;
  const reload = plugin.reload();
  await settle();
  crash(0);
  expect(plugin.status()).toMatchObject({ state: "restarting", problem: "it crashed" });
  resolve();
  expect(await reload).toEqual({ kind: "reloaded" });
  expect(plugin.status()).toMatchObject({ state: "ready", restarts: 1 });
  await advance(1_000_000);
  expect(opened).toHaveLength(2);
  await plugin[Symbol.asyncDispose]();
});

test("a process that is lost during a reload that fails is started again", async () => {
  const { plugin, failures, crash, gate, settle, advance } = superviseFake();
  await plugin.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  gate.promise = promise;
  failures.push(refused);
  const reload = plugin.reload();
  await settle();
  crash(0);
  resolve();
  expect(await reload).toEqual({ kind: "failed", problem: "no", keptRunning: false });
  expect(plugin.status()).toMatchObject({ state: "restarting" });
  await advance(1_000);
  expect(plugin.status().state).toBe("ready");
  await plugin[Symbol.asyncDispose]();
});

test("a plugin that waits for its next try is started at once", async () => {
  const { plugin, failures, opened, advance } = superviseFake();
  failures.push(refused, refused);
  await plugin.start();
  expect(await plugin.reload()).toMatchObject({ kind: "failed", keptRunning: false });
  expect(await plugin.reload()).toEqual({ kind: "reloaded" });
  await advance(1_000_000);
  expect(opened).toHaveLength(1);
  await plugin[Symbol.asyncDispose]();
});

test("only so many old processes may still be finishing calls", async () => {
  const { plugin, opened } = superviseFake();
  await plugin.start();
  for (let round = 0; round < 4; round += 1) {
    void plugin.execute(execution);
    expect(await plugin.reload()).toEqual({ kind: "reloaded" });
  }
  void plugin.execute(execution);
  expect(await plugin.reload()).toMatchObject({
    kind: "failed",
    problem: expect.stringContaining("4 earlier processes") as string,
    keptRunning: true,
  });
  expect(opened).toHaveLength(5);
  await plugin[Symbol.asyncDispose]();
  expect(opened.every(({ stopped }) => stopped)).toBe(true);
});

test("disposal in the middle of a reload leaves nothing", async () => {
  const { plugin, opened, gate, settle } = superviseFake();
  await plugin.start();
  const { promise, resolve } = Promise.withResolvers<void>();
  gate.promise = promise;
  const reload = plugin.reload();
  await settle();
  const disposed = plugin[Symbol.asyncDispose]();
  resolve();
  await disposed;
  expect(await reload).toMatchObject({ kind: "failed", problem: "OpenTalon stops" });
  expect(opened.map(({ stopped }) => stopped)).toEqual([true, true]);
  expect(plugin.status().state).toBe("stopped");
});

test("a plugin that has ended for good says so", async () => {
  const { plugin } = superviseFake({ claimName: () => "the name is taken" });
  await plugin.start();
  expect(await plugin.reload()).toEqual({
    kind: "failed",
    problem: "the name is taken",
    keptRunning: false,
  });
  await plugin[Symbol.asyncDispose]();
});

test("a plugin with a port of its own finishes its calls before the new process begins", async () => {
  const { plugin, opened, failures, states, settle, advance } = superviseFake({
    entry: { httpPort: 4000 },
  });
  await plugin.start();
  const call = plugin.execute(execution);
  const reload = plugin.reload();
  await settle();
  expect(plugin.status().state).toBe("restarting");
  await expect(plugin.execute(execution)).rejects.toThrow("it is being started anew");
  expect(opened).toHaveLength(1);
  present(opened[0]).answer();
  expect((await call).content).toBe("done");
  expect(await reload).toEqual({ kind: "reloaded" });
  expect(opened.map(({ stopped }) => stopped)).toEqual([true, false]);
  expect(states).toEqual(["ready", "restarting", "ready"]);
  failures.push(refused);
  expect(await plugin.reload()).toMatchObject({ kind: "failed", keptRunning: false });
  await advance(1_000);
  expect(plugin.status().state).toBe("ready");
  await plugin[Symbol.asyncDispose]();
});
