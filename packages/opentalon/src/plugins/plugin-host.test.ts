import { findFreePort } from "../base/testing/find-free-port.ts";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createLog } from "../base/create-log.ts";
import type { PluginHost } from "./plugin-host.ts";
import { createPluginHost } from "./plugin-host.ts";
import { toFakePluginCommand, toFakePluginScript } from "./testing/fake-plugin-command.ts";
import { isRunning, launchFake, readJournal } from "./testing/launch-fake.ts";
import { present } from "./testing/present.ts";
import type { FakeHostOptions } from "./testing/start-fake-host.ts";
import { startFakeHost, toExecution } from "./testing/start-fake-host.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A host of fake plugins by key, disposed of after the test. */
const startHost = (
  fakes: Parameters<typeof startFakeHost>[0],
  changes: Partial<FakeHostOptions> = {},
): ReturnType<typeof startFakeHost> => startFakeHost(fakes, { folder, ...changes });

const states = (host: PluginHost): string[] =>
  host.statuses().map(({ key, state }) => `${key} ${state}`);

test("plugins of both generations start side by side and run actions", async () => {
  const { host, changes } = await startHost({
    new: { name: "newer", promptAddition: "Be brief.", configJson: '{"a":1}' },
    old: { name: "older", generation: "json" },
    bare: { name: "", init: "unimplemented" },
  });
  expect(states(host)).toEqual(["new ready", "old ready", "bare ready"]);
  expect(host.statuses().map(({ name }) => name)).toEqual(["newer", "older", "bare"]);
  expect(host.promptAdditions()).toEqual([{ plugin: "newer", text: "Be brief." }]);
  expect(
    host
      .tools()
      .filter(({ action }) => action === "echo")
      .map(({ plugin }) => plugin),
  ).toEqual(["newer", "older", "bare"]);
  expect((await host.execute("newer", toExecution("config"))).content).toBe('{"a":1}');
  expect(JSON.parse((await host.execute("older", toExecution("echo"))).content)).toMatchObject({
    plugin: "older",
  });
  expect(JSON.parse((await host.execute("bare", toExecution("echo"))).content)).toMatchObject({
    plugin: "bare",
  });
  await expect(host.execute("new", toExecution("echo"))).rejects.toThrow('no plugin "new"');
  expect(changes()).toBeGreaterThanOrEqual(3);
});

test("a plugin that fails leaves the others alone and says why", { timeout: 40_000 }, async () => {
  const { host } = await startHost({
    good: {},
    crash: { start: "crash" },
    silent: { start: "hang", handshakeTimeoutMs: 1_500 },
    refuses: { init: "refuse" },
    dies: { init: "crash" },
    hangs: { init: "hang", dialTimeoutMs: 1_000 },
    mute: { capabilities: "hang", dialTimeoutMs: 1_000 },
    mutest: { capabilities: "hang", generation: "json", dialTimeoutMs: 1_000 },
    misnamed: { name: "has space" },
    missing: { command: "./none" },
    elsewhere: { command: "grpc://" },
    unreachable: { command: "grpc://127.0.0.1:1" },
  });
  const problems = Object.fromEntries(
    host.statuses().map(({ key, state, problem }) => [key, `${state}: ${problem}`]),
  );
  expect(problems).toEqual({
    good: "ready: ",
    crash: expect.stringMatching(
      /^failed: .*exit code 3 .*last words: cannot find my configuration/,
    ) as string,
    silent: expect.stringContaining("within 1.5 s") as string,
    refuses: expect.stringContaining("configure: the key is missing") as string,
    dies: expect.stringContaining("ended with exit code 8") as string,
    hangs: expect.stringContaining("did not introduce itself within 1 s") as string,
    mute: expect.stringContaining("did not introduce itself within 1 s") as string,
    mutest: expect.stringContaining("did not introduce itself within 1 s") as string,
    misnamed: expect.stringContaining('no action can be called by: "has space"') as string,
    missing: expect.stringContaining("there is no program") as string,
    elsewhere: expect.stringContaining("grpc://host:port") as string,
    unreachable: expect.stringContaining("UNAVAILABLE") as string,
  });
  expect((await host.execute("fake", toExecution("echo"))).error).toBe("");
});

test("a bad action is left out alone, with a warning", async () => {
  const { host, log } = await startHost({
    fake: { actions: ["echo", "two words", "x".repeat(80)] },
  });
  expect(host.tools().map(({ action }) => action)).toEqual(["echo"]);
  expect(log()).toContain('"action":"two words"');
});

test("of two plugins with one name the first keeps it", async () => {
  const { host } = await startHost({
    first: { name: "same", greetingDelayMs: 500 },
    second: { name: "same" },
    third: { name: "first" },
  });
  expect(states(host)).toEqual(["first ready", "second failed", "third failed"]);
  expect(host.statuses()[1]?.problem).toContain(
    'reports the name "same", which the plugin "first" has already',
  );
  expect(host.statuses()[2]?.problem).toContain(
    'reports the name "first", which is the key of another plugin',
  );
  expect(host.tools().every(({ plugin }) => plugin === "same")).toBe(true);
});

test("no plugin may call itself what another one is called in the configuration", async () => {
  const { host } = await startHost(
    { evil: { name: "perms" }, posing: { name: "scheduler" }, perms2: { name: "own" } },
    { configuredKeys: ["evil", "posing", "perms", "perms2"] },
  );
  expect(states(host)).toEqual(["evil failed", "posing failed", "perms2 ready"]);
  expect(host.statuses()[0]?.problem).toContain(
    'reports the name "perms", which is the key of another plugin',
  );
  expect(host.statuses()[1]?.problem).toContain(
    'reports the name "scheduler", which belongs to OpenTalon itself',
  );
  expect(["perms", "scheduler", "own", "perms2"].map(host.configKeyOf)).toEqual([
    undefined,
    undefined,
    "perms2",
    undefined,
  ]);
});

test("a plugin whose key is a name of OpenTalon itself is not started", async () => {
  const journal = join(folder, "journal");
  const { host } = await startHost({ _subprocess: { name: "fine", journal }, good: {} });
  expect(states(host)).toEqual(["_subprocess failed", "good ready"]);
  expect(host.statuses()[0]?.problem).toContain("give the plugin another key");
  expect(await readJournal(journal)).toEqual([]);
});

test("no full name occurs twice among the tools", async () => {
  const { host } = await startHost({
    one: { name: "a", actions: ["b__c", "d"] },
    two: { name: "a__b", actions: ["c", "d"] },
  });
  expect(host.tools().map(({ plugin, action }) => `${plugin}/${action}`)).toEqual([
    "a/b__c",
    "a/d",
    "a__b/d",
  ]);
});

test("a crash answers all callers at once, and the plugin comes back under its own name", async () => {
  const journal = join(folder, "journal");
  const { host } = await startHost({
    key: { name: "reported", journal },
    old: { generation: "json", name: "older", journal },
  });
  for (const name of ["reported", "older"]) {
    const calls = Array.from({ length: 10 }, () =>
      host.execute(name, toExecution("hang", { timeoutMs: 600_000 })),
    );
    const outcomes = Promise.allSettled(calls);
    await expect
      .poll(
        async () => (await readJournal(journal)).filter(({ action }) => action === "hang").length,
      )
      .toBe(name === "older" ? 20 : 10);
    await expect(host.execute(name, toExecution("crash"))).rejects.toMatchObject({
      reason: "crashed",
    });
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ reason: { code: "PLUGIN_CRASHED" } });
    await expect(host.execute(name, toExecution("echo"))).rejects.toMatchObject({
      reason: "unavailable",
    });
  }
  await expect.poll(() => states(host), { timeout: 15_000 }).toEqual(["key ready", "old ready"]);
  expect((await host.execute("reported", toExecution("echo"))).error).toBe("");
  expect((await host.execute("older", toExecution("echo"))).error).toBe("");
  expect(host.statuses().map(({ restarts }) => restarts)).toEqual([1, 1]);
});

test(
  "a plugin that lives but no longer listens is started again",
  { timeout: 40_000 },
  async () => {
    const journal = join(folder, "journal");
    const { host } = await startHost({
      socket: { name: "a", journal },
      port: { name: "b", network: "tcp", journal },
      old: { name: "c", generation: "json", journal },
    });
    const names = ["a", "b", "c"];
    await Promise.all(
      names.map((name) =>
        expect(host.execute(name, toExecution("deafen"))).rejects.toMatchObject({
          reason: "unavailable",
        }),
      ),
    );
    // One that has no lasting connection is found out by the next call.
    await expect(
      host.execute("c", toExecution("echo", { timeoutMs: 600_000 })),
    ).rejects.toMatchObject({
      reason: "unavailable",
      message: expect.stringContaining("no longer listens") as string,
    });
    await expect
      .poll(() => host.statuses().map(({ state, restarts }) => `${state} ${restarts}`), {
        timeout: 30_000,
      })
      .toEqual(["ready 1", "ready 1", "ready 1"]);
    for (const name of names)
      expect((await host.execute(name, toExecution("echo"))).error).toBe("");
    const started = (await readJournal(journal)).filter(({ event }) => event === "started");
    const running = await Promise.all(started.map(({ pid }) => isRunning(present(pid))));
    expect(running.filter(Boolean)).toHaveLength(3);
  },
);

test("a plugin killed from outside in the middle of a call answers promptly", async () => {
  const journal = join(folder, "journal");
  const { host } = await startHost({ fake: { journal } });
  const call = host.execute("fake", toExecution("hang", { timeoutMs: 600_000 }));
  const outcome = call.catch((error: unknown) => error);
  await expect.poll(async () => (await readJournal(journal)).length).toBe(2);
  process.kill(present((await readJournal(journal))[0]?.pid), "SIGKILL");
  expect(await outcome).toMatchObject({
    reason: "crashed",
    message: expect.stringContaining("SIGKILL") as string,
  });
});

test(
  "disposal leaves no process, socket or folder, even of stubborn plugins",
  { timeout: 40_000 },
  async () => {
    const journal = join(folder, "journal");
    const { host } = await startHost({
      stubborn: { name: "a", journal, ignoreSignals: true, grandchild: true },
      tidy: { name: "b", journal, tidy: true },
      old: { name: "c", journal, generation: "json", grandchild: true },
      starting: { start: "crash", journal },
    });
    const call = host
      .execute("a", toExecution("hang", { timeoutMs: 600_000 }))
      .catch((error: unknown) => error);
    const temporaryFolders = await Promise.all(
      ["a", "b"].map(
        async (name) =>
          (
            JSON.parse((await host.execute(name, toExecution("environment"))).content) as {
              TMPDIR: string;
            }
          ).TMPDIR,
      ),
    );
    await host[Symbol.asyncDispose]();
    expect(await call).toMatchObject({ name: "PluginError" });
    for (const { pid } of await readJournal(journal))
      if (pid !== undefined) await expect.poll(() => isRunning(pid)).toBe(false);
    for (const path of temporaryFolders) expect(() => readdirSync(path)).toThrow("ENOENT");
    expect(readdirSync(join(folder, "state/plugin-folders"))).toEqual([]);
    expect(states(host)).toEqual([
      "stubborn stopped",
      "tidy stopped",
      "old stopped",
      "starting failed",
    ]);
    await expect(host.execute("a", toExecution("echo"))).rejects.toMatchObject({
      reason: "unavailable",
    });
  },
);

test("disposal in the middle of the start ends it", async () => {
  const journal = join(folder, "journal");
  const entries = [{ key: "slow", command: toFakePluginCommand({ start: "hang", journal }) }];
  const log = createLog({ level: "error", file: join(folder, "log"), pretty: false });
  const host = createPluginHost({
    entries,
    configuredKeys: [],
    environment: process.env,
    log,
    clock: systemClock,
    onChange: () => {},
  });
  const start = host.start();
  await expect.poll(async () => (await readJournal(journal)).length, { timeout: 15_000 }).toBe(1);
  await host[Symbol.asyncDispose]();
  await start;
  for (const { pid } of await readJournal(journal))
    await expect.poll(() => isRunning(present(pid))).toBe(false);
});

test("a plugin is a single executable file too", async () => {
  const path = join(folder, "plugin");
  writeFileSync(path, toFakePluginScript({ name: "scripted", errorLines: ["it's quoted"] }), {
    mode: 0o755,
  });
  const { host } = await startHost({ fake: { command: path } });
  expect(states(host)).toEqual(["fake ready"]);
});

test(
  "a remote plugin is used, lost, and found again with its configuration",
  { timeout: 60_000 },
  async () => {
    const served = await launchFake({ network: "tcp", name: "remote" });
    const { address } = served.handshake;
    const { host } = await startHost({
      far: { command: `grpc://${address}`, configJson: '{"b":2}' },
    });
    expect(states(host)).toEqual(["far ready"]);
    expect((await host.execute("remote", toExecution("config"))).content).toBe('{"b":2}');
    await served.stop();
    await expect.poll(() => states(host)).not.toEqual(["far ready"]);
    const port = Number(address.split(":")[1]);
    const again = await launchFake({ network: "tcp", port, name: "remote" });
    onTestFinished(again.stop);
    await expect.poll(() => states(host), { timeout: 20_000 }).toEqual(["far ready"]);
    expect((await host.execute("remote", toExecution("config"))).content).toBe('{"b":2}');
  },
);

test("the servers a bridge stands for are plugins of their own, and are asked by their names", async () => {
  const actions = ["echo", "jira__echo", "mail__echo", "mail__", "other__echo"];
  const { host, log } = await startHost({
    bridge: { name: "mcp", actions, servers: ["jira", "mail", "taken", "_meta"] },
    taken: { actions: ["echo"], name: "taken" },
  });
  const names = host.tools().map(({ plugin, action }) => `${plugin} ${action}`);
  expect(names).toEqual([
    "mcp echo",
    "jira echo",
    "mail echo",
    "mcp mail__",
    "mcp other__echo",
    "taken echo",
  ]);
  const ask = async (plugin: string, action: string): Promise<unknown> =>
    JSON.parse((await host.execute(plugin, toExecution(action))).content);
  expect(await ask("jira", "echo")).toMatchObject({ plugin: "jira", action: "jira__echo" });
  const other = await host.execute("mcp", toExecution("other__echo"));
  expect(other.error).toContain("unknown action");
  expect(await ask("taken", "echo")).toMatchObject({ plugin: "taken", action: "echo" });
  expect(host.configKeyOf("jira")).toBe("bridge");
  expect(log()).toMatch(/"server":"taken".*has the name of another plugin/);
});

test("no other plugin takes the name of a server, whether or not its bridge is there", async () => {
  const { host } = await startHost({
    poser: { name: "jira", actions: ["echo"] },
    bridge: { name: "mcp", actions: ["jira__echo"], servers: ["jira", "mail"] },
    late: { name: "mail", actions: ["echo"] },
  });
  expect(states(host)).toEqual(["poser failed", "bridge ready", "late failed"]);
  expect(host.statuses()[0]?.problem).toBe(
    'the plugin "poser" reports the name "jira", which is a server of the plugin "bridge"; rename one of them',
  );
  expect(host.configKeyOf("jira")).toBe("bridge");
});

test("a plugin's web server counts at the port it was given, and nowhere else", async () => {
  const [first, second] = [await findFreePort(), await findFreePort()];
  const { host, log } = await startHost({
    good: { name: "good", web: "given-port", httpPort: first },
    bad: { name: "bad", web: "other-port", httpPort: second },
    none: { name: "none" },
  });
  expect(host.webAddressOf("good")).toBe(`127.0.0.1:${first}`);
  expect(host.webAddressOf("bad")).toBeUndefined();
  expect(host.webAddressOf("none")).toBeUndefined();
  expect(log()).toMatch(/serves web pages at another port/);
});
