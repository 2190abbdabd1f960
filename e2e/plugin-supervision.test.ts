import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { findFreePort } from "../packages/opentalon/src/base/testing/find-free-port.ts";
import {
  createModelServer,
  type ModelServer,
  type ScriptedReply,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { isRunning, readPluginJournal, readPluginPids } from "./support/processes.ts";
import { type FinishedRun, runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, fakePlugin, type Scratch } from "./support/scratch.ts";

/** What becomes of plugins while the program runs, seen through the program and through `opentalon plugin`. */

const patient = { timeout: 30_000 };

const call = (name: string, args: Readonly<Record<string, string>> = {}): ScriptedReply => ({
  kind: "message",
  toolCalls: [{ name, arguments: { text: "hi", ...args } }],
});
const say = (text: string): ScriptedReply => ({ kind: "message", text });

const lastResult = ({ requests }: ModelServer): string =>
  requests.at(-1)?.body.messages?.at(-1)?.content ?? "";

const run = (
  scratch: Scratch,
  configPath: string,
  ...command: readonly string[]
): Promise<FinishedRun> =>
  runOpenTalon({
    arguments: ["--config", configPath, "plugin", ...command],
    folder: scratch.folder,
  });

interface Listed {
  readonly running: boolean;
  readonly plugins: readonly {
    readonly key: string;
    readonly state: string;
    readonly pid?: number;
    readonly restarts?: number;
    readonly problem?: string;
  }[];
}

async function list(scratch: Scratch, configPath: string): Promise<Listed> {
  const { code, stdout, stderr } = await run(scratch, configPath, "list", "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Listed;
}

describe("a plugin killed in the middle of a call", () => {
  it("costs that call alone, and is back", async () => {
    using scratch = createScratch();
    const journal = join(scratch.folder, "journal");
    await using models = await createModelServer([
      call("fake__hang"),
      say("it broke"),
      call("fake__structured"),
      say("it works again"),
    ]);
    const configPath = scratch.writeConfig(models.url, {
      plugins: { fake: fakePlugin({ journal }) },
    });
    await using core = startCore({ configPath });
    await core.ready();
    core.write("go\n");
    await expect
      .poll(() => readPluginJournal(journal).some(({ action }) => action === "hang"), patient)
      .toBe(true);
    const [pid = 0] = readPluginPids(journal);
    const killedAt = performance.now();
    process.kill(pid, "SIGKILL");
    await core.logged(({ msg }) => msg === "Plugin lost");
    await expect.poll(() => models.requests.length, { ...patient, interval: 1 }).toBeGreaterThan(1);
    const toldMs = performance.now() - killedAt;
    await core.logged((line) => line.msg === "Plugin ready" && line["restarts"] === 1);
    const backMs = performance.now() - killedAt;
    process.stdout.write(
      `kill -9 in a call: the model was told after ${toldMs.toFixed(0)} ms, the plugin back after ${backMs.toFixed(0)} ms\n`,
    );
    await expect.poll(core.output, patient).toBe("it broke\n");
    expect(lastResult(models)).toContain("was ended by SIGKILL");
    core.write("again\n");
    await expect.poll(core.output, patient).toBe("it broke\nit works again\n");
    expect(lastResult(models)).toContain('{"a":1}');
    core.end();
    expect(await core.exited).toBe(0);
    expect(readPluginPids(journal).filter(isRunning)).toEqual([]);
  });
});

describe("opentalon plugin", () => {
  it("removes nothing a running plugin keeps, since it could have other files removed", async () => {
    using scratch = createScratch();
    await using models = await createModelServer([]);
    const configPath = scratch.writeConfig(models.url, { plugins: { fake: fakePlugin({}) } });
    const kept = join(scratch.stateFolder, "plugins", "fake");
    {
      await using core = startCore({ configPath });
      await core.ready();
      await expect.poll(async () => (await list(scratch, configPath)).running, patient).toBe(true);
      const refused = await run(scratch, configPath, "remove", "fake", "--keep-config", "--data");
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('the plugin "fake" is running; stop OpenTalon');
      expect(existsSync(kept)).toBe(true);
      core.end();
      expect(await core.exited).toBe(0);
    }
    const removed = await run(scratch, configPath, "remove", "fake", "--keep-config", "--data");
    expect(removed.code).toBe(0);
    expect(existsSync(kept)).toBe(false);
  });

  it("lists plugins, prints their logs and starts them anew without losing a call", async () => {
    using scratch = createScratch();
    const journal = join(scratch.folder, "journal");
    await using models = await createModelServer([
      call("fake__slow", { text: "3000" }),
      say("not cut"),
    ]);
    const configPath = scratch.writeConfig(models.url, {
      plugins: {
        fake: fakePlugin({ journal, errorLines: ["hello from the plugin"] }),
        broken: fakePlugin({ name: "broken", start: "crash" }),
        off: { enabled: false, plugin: "./off" },
      },
    });
    await using core = startCore({ configPath });
    await core.ready();
    await expect.poll(async () => (await list(scratch, configPath)).running, patient).toBe(true);
    const before = await list(scratch, configPath);
    expect(before.plugins).toMatchObject([
      { key: "fake", state: "ready", restarts: 0, pid: readPluginPids(journal)[0] },
      { key: "broken", state: "failed", problem: expect.stringContaining("exit code 3") as string },
      { key: "off", state: "disabled" },
    ]);
    const table = await run(scratch, configPath, "list");
    expect(table.stdout).toMatch(/^plugin +state +for +actions +restarts +pid/);
    expect(table.stdout).toMatch(/^broken +failed/m);
    expect(table.stdout).toMatch(/\nbroken: .*last words: cannot find my configuration/);

    const logs = await run(scratch, configPath, "logs", "fake", "-n", "5");
    expect(logs.stdout).toMatch(/^\S+Z {2}hello from the plugin$/m);
    expect(logs.stdout).toMatch(/\[opentalon\] Plugin ready/);
    const unknown = await run(scratch, configPath, "logs", "nobody");
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('no plugin "nobody" runs here; there are fake, broken');

    core.write("go\n");
    await expect
      .poll(() => readPluginJournal(journal).some(({ action }) => action === "slow"), patient)
      .toBe(true);
    const restart = await run(scratch, configPath, "restart", "fake");
    expect(restart).toMatchObject({ code: 0, stderr: "" });
    expect(restart.stdout).toMatch(/^fake was started anew: \d+ actions, process \d+\n$/);
    await expect.poll(core.output, patient).toBe("not cut\n");
    expect(lastResult(models)).toContain("done");
    const [first = 0, second] = readPluginPids(journal);
    await expect.poll(() => isRunning(first), patient).toBe(false);
    expect((await list(scratch, configPath)).plugins[0]).toMatchObject({
      pid: second,
      restarts: 1,
    });

    const hopeless = await run(scratch, configPath, "restart", "broken");
    expect(hopeless.code).toBe(1);
    expect(hopeless.stderr).toContain("cannot find my configuration");
    core.end();
    expect(await core.exited).toBe(0);
  });

  it("says that nothing runs, and what is configured", async () => {
    using scratch = createScratch();
    const configPath = scratch.writeConfig("http://127.0.0.1:1", {
      plugins: { fake: fakePlugin() },
    });
    const table = await run(scratch, configPath, "list");
    expect(table.code).toBe(0);
    expect(table.stdout).toMatch(/^fake +not running$/m);
    expect(table.stdout).toContain("OpenTalon does not run over");
    expect(await list(scratch, configPath)).toEqual({
      running: false,
      plugins: [{ key: "fake", state: "not running" }],
    });
    const logs = await run(scratch, configPath, "logs", "fake");
    expect(logs).toMatchObject({ code: 1, stdout: "" });
    expect(logs.stderr).toMatch(/does not run over .*; start it, and its plugins start with it/);
    const restart = await run(scratch, configPath, "restart", "nobody");
    expect(restart.code).toBe(1);
    expect(restart.stderr).toContain('it configures no plugin "nobody"; there are fake');
  });

  it("reaches a program whose predecessor was killed", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url, { plugins: { fake: fakePlugin() } });
    for (let round = 0; round < 2; round += 1) {
      await using core = startCore({ configPath });
      await core.ready();
      await expect.poll(async () => (await list(scratch, configPath)).running, patient).toBe(true);
      core.signal("SIGKILL");
      await core.exited;
    }
    expect((await list(scratch, configPath)).running).toBe(false);
  });
});

describe("metrics", () => {
  it("count calls and tell states, at an address of their own", async () => {
    using scratch = createScratch();
    const port = await findFreePort();
    await using models = await createModelServer([call("fake__structured"), say("ok")]);
    const configPath = scratch.writeConfig(models.url, {
      plugins: { fake: fakePlugin() },
      metrics: { enabled: true, addr: `127.0.0.1:${port}` },
    });
    await using core = startCore({ configPath });
    await core.ready();
    core.write("go\n");
    await expect.poll(core.output, patient).toBe("ok\n");
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    const lines = (await response.text()).split("\n");
    expect(lines).toContain('opentalon_plugin_calls_total{plugin="fake",outcome="ok"} 1');
    expect(lines).toContain('opentalon_plugin_state{plugin="fake",state="ready"} 1');
    expect(lines).toContain('opentalon_plugin_restarts_total{plugin="fake"} 0');
    core.end();
    expect(await core.exited).toBe(0);
  });

  it("are not open to other machines without a token", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url, {
      metrics: { enabled: true, addr: "0.0.0.0:0" },
    });
    await using core = startCore({ configPath });
    expect(await core.exited).toBe(1);
    expect(core.otherErrors()).toContain(
      "metrics.addr is 0.0.0.0:0, which other machines can reach",
    );
  });
});
