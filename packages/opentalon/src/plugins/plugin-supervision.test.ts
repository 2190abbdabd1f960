import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { createManualClock, systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { createGenerationMemory } from "./detect-generation.ts";
import { openPlugin } from "./open-plugin.ts";
import { createFence } from "./fence/create-fence.ts";
import { createOrphanGuard } from "./orphan-guard.ts";
import type { PluginHost } from "./plugin-host.ts";
import { supervise } from "./supervise.ts";
import { createTemporaryFolders } from "./temporary-folder.ts";
import type { FakePluginOptions } from "./testing/fake-plugin-options.ts";
import { isRunning, readJournal } from "./testing/launch-fake.ts";
import { present } from "./testing/present.ts";
import { startFakeHost, toExecution } from "./testing/start-fake-host.ts";

/** What supervision does with real processes; its rules stand in `supervise.test.ts` and `watch-health.test.ts`. */

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const patient = { timeout: 30_000 };
const statusOf = (host: PluginHost) => present(host.statuses()[0]);
const actionsOf = (host: PluginHost): readonly string[] => host.tools().map(({ action }) => action);

test.each(["grpc", "json"] as const)(
  "a process that hangs is replaced, and what was the matter is told (%s)",
  { timeout: 60_000 },
  async (generation) => {
    const { host, log } = await startFakeHost(
      { fake: { generation, healthCheckIntervalMs: 200 } },
      { folder },
    );
    const { pid = 0 } = statusOf(host);
    process.kill(pid, "SIGSTOP");
    await expect.poll(() => statusOf(host).restarts, patient).toBe(1);
    await expect.poll(() => statusOf(host).state, patient).toBe("ready");
    expect(log()).toContain(
      "failed 2 health checks in a row: it did not answer within 200 ms, as a program that hangs",
    );
    expect(await isRunning(pid)).toBe(false);
    expect((await host.execute("fake", toExecution("echo"))).error).toBe("");
  },
);

test.each(["grpc", "json"] as const)(
  "a process of one thread that works on a long call is left alone (%s)",
  async (generation) => {
    const { host } = await startFakeHost(
      { fake: { generation, healthCheckIntervalMs: 100 } },
      { folder },
    );
    const block = toExecution("block", { arguments: { ms: "1500" } });
    expect((await host.execute("fake", block)).content).toBe("done");
    expect(statusOf(host)).toMatchObject({ state: "ready", restarts: 0 });
  },
);

test("a plugin that says it is not serving is replaced", async () => {
  const { host, log } = await startFakeHost(
    { fake: { health: "not-serving", healthCheckIntervalMs: 100 } },
    { folder },
  );
  await expect.poll(() => statusOf(host).restarts, patient).toBeGreaterThan(0);
  expect(log()).toContain("says that it is not serving");
});

test("a plugin that is asked again offers what it says then", async () => {
  const { host, changes } = await startFakeHost(
    { key: { name: "reported", refreshed: ["echo", "new"], refreshIntervalMs: 100 } },
    { folder },
  );
  await expect.poll(() => actionsOf(host), patient).toEqual(["echo", "new"]);
  expect(host.tools().every(({ plugin }) => plugin === "reported")).toBe(true);
  expect(changes()).toBeGreaterThan(1);
});

test("a reload loses no call, and names and actions follow the new process", async () => {
  const overrides = join(folder, "overrides");
  const override = (options: FakePluginOptions): void =>
    writeFileSync(overrides, JSON.stringify(options));
  override({ name: "before", actions: ["slow", "echo"] });
  const { host } = await startFakeHost({ key: { overrides } }, { folder });
  const first = statusOf(host);
  const slow = toExecution("slow", { arguments: { ms: "1500" } });
  const underWay = host.execute("before", slow);
  override({ name: "after", actions: ["slow", "more"] });
  expect(await host.reload("key")).toEqual({ kind: "reloaded" });
  expect(statusOf(host)).toMatchObject({ key: "key", name: "after", state: "ready", restarts: 1 });
  expect(statusOf(host).pid).not.toBe(first.pid);
  expect(actionsOf(host)).toEqual(["slow", "more"]);
  expect(host.configKeyOf("after")).toBe("key");
  expect(host.configKeyOf("before")).toBeUndefined();
  expect((await host.execute("after", toExecution("echo"))).error).toBe("");
  await expect(host.execute("before", toExecution("echo"))).rejects.toThrow('no plugin "before"');
  expect((await underWay).content).toBe("done");
  await expect.poll(() => isRunning(present(first.pid)), patient).toBe(false);

  override({ start: "crash" });
  expect(await host.reload("key")).toMatchObject({
    kind: "failed",
    keptRunning: true,
    problem: expect.stringContaining("cannot find my configuration") as string,
  });
  expect((await host.execute("after", toExecution("echo"))).error).toBe("");
  expect(await host.reload("nobody")).toBeUndefined();
});

test("reloads under load lose no call", { timeout: 120_000 }, async () => {
  const { host } = await startFakeHost({ fake: {} }, { folder });
  let isOver = false;
  let calls = 0;
  const problems: unknown[] = [];
  const callers = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      calls += 1;
      await host
        .execute("fake", toExecution("echo"))
        .catch((error: unknown) => problems.push(error));
    }
  });
  for (let round = 0; round < 20; round += 1)
    expect(await host.reload("fake")).toMatchObject({ kind: "reloaded" });
  isOver = true;
  await Promise.all(callers);
  expect(problems).toEqual([]);
  expect(calls).toBeGreaterThan(100);
});

test("the last lines of a plugin are there to be read, with what became of it between them", async () => {
  const { host } = await startFakeHost(
    { fake: { errorLines: ["I am up", "and running"] } },
    { folder },
  );
  const recent = present(host.recentLines("fake"));
  await expect
    .poll(() => recent.last(10).map(({ text }) => text))
    .toEqual(expect.arrayContaining(["I am up", "and running"]));
  expect(recent.last(10).find(({ from }) => from === "opentalon")?.text).toContain("Plugin ready");
  expect(host.recentLines("nobody")).toBeUndefined();
});

test(
  "a plugin that ends at its start a hundred times leaves nothing behind",
  { timeout: 90_000 },
  async () => {
    const temporary = mkdtempSync("/tmp/ott-");
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = temporary;
    const log = createSilentLog();
    const folders = createTemporaryFolders(folder);
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
    const guard = createOrphanGuard({ log, environment: process.env });
    onTestFinished(async () => {
      await guard[Symbol.asyncDispose]();
      rmSync(temporary, { recursive: true });
    });
    const clock = createManualClock();
    let failures = 0;
    // It leaves a process and a socket of its own kind behind, if it is let.
    const script = 'sleep 600 & mkdir "$TMPDIR/opentalon-plugin-x"; echo "cannot work"; exit 3';
    const plugin = supervise({
      entry: { key: "hopeless", command: ["/bin/sh", "-c", script] },
      open: (entry, signal) =>
        openPlugin(
          entry,
          {
            environment: process.env,
            folders,
            stateDirectory: folder,
            guard,
            fence: createFence({ searchPath: process.env["PATH"] ?? "", clock: systemClock, log }),
            generations: createGenerationMemory(),
            clock: systemClock,
            log,
            maxMessageBytes: 1_000_000,
          },
          signal,
        ),
      claimName: () => "",
      clock,
      log,
      onChange: () => (failures += 1),
    });
    await plugin.start();
    const count = (path: string): number => readdirSync(path).length;
    const open = count("/proc/self/fd");
    for (let tries = 1; tries <= 100; tries += 1) {
      const next = new Promise<void>((resolve) => {
        const look = (): void => {
          if (failures > tries) resolve();
          else setTimeout(look, 2);
        };
        look();
      });
      clock.advance(300_000);
      await next;
    }
    await plugin[Symbol.asyncDispose]();
    expect(plugin.status()).toMatchObject({ state: "failed", restarts: 100 });
    expect(count(temporary)).toBe(0);
    expect(count(join(folder, "plugin-folders"))).toBe(0);
    await expect.poll(() => count("/proc/self/fd")).toBeLessThanOrEqual(open + 1);
  },
);

test("a plugin that is down answers at once with what is wrong", async () => {
  const journal = join(folder, "journal");
  const { host } = await startFakeHost({ fake: { journal } }, { folder });
  await expect(host.execute("fake", toExecution("crash"))).rejects.toMatchObject({
    reason: "crashed",
  });
  await expect(host.execute("fake", toExecution("echo"))).rejects.toMatchObject({
    reason: "unavailable",
    message: expect.stringContaining("ended with exit code 7; trying again in 200 ms") as string,
  });
  await expect
    .poll(
      async () => (await readJournal(journal)).filter(({ event }) => event === "started").length,
      patient,
    )
    .toBe(2);
});
