import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createGrpcPluginClient } from "./grpc-plugin-client.ts";
import type { FakePluginOptions } from "./testing/fake-plugin-options.ts";
import type { LaunchedFake } from "./testing/launch-fake.ts";
import { isRunning, launchFake, readJournal } from "./testing/launch-fake.ts";
import { present } from "./testing/present.ts";

let folder: string;
let journal: string;
let temporary: string;
const systemTemporary = process.env["TMPDIR"];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
  journal = join(folder, "journal");
  // Of its own, so that what is left in it was left by the test.
  temporary = mkdtempSync(join(tmpdir(), "t-"));
  process.env["TMPDIR"] = temporary;
});
afterEach(() => {
  if (systemTemporary === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = systemTemporary;
  expect(readdirSync(temporary)).toEqual([]);
  rmSync(temporary, { recursive: true });
  rmSync(folder, { recursive: true });
});

async function ask(fake: LaunchedFake, action: string): Promise<string> {
  const client = createGrpcPluginClient({
    plugin: "fake",
    address: fake.handshake,
    maxMessageBytes: 2 ** 20,
    clock: systemClock,
  });
  const signal = new AbortController().signal;
  const { content } = await client.execute(
    { callId: "1", action, arguments: {}, signal, timeoutMs: 10_000 },
    "fake",
  );
  await client[Symbol.asyncDispose]();
  return content;
}

const pids = async (): Promise<number[]> =>
  (await readJournal(journal)).flatMap(({ pid }) => (pid === undefined ? [] : [pid]));

describe("a launch that fails says why, and leaves no process and no folder", () => {
  test.each<[NonNullable<FakePluginOptions["start"]>, string]>([
    [
      "crash",
      "ended with exit code 3 before it said where it listens; its last words: cannot find my configuration",
    ],
    ["wrong-handshake", 'is not "1|unix|<path>"'],
    ["long-line", "too long to be a handshake"],
    ["flood-stdout", "too long to be a handshake"],
    ["close-stdout", "closed its standard output without a handshake"],
    ["remote-web-address", "not a loopback IP address"],
  ])("%s", async (start, problem) => {
    const launch = launchFake({ start, journal, grandchild: true });
    await expect(launch).rejects.toMatchObject({
      name: "PluginError",
      code: "PLUGIN_HANDSHAKE_FAILED",
      message: expect.stringContaining(problem) as string,
    });
    expect(await pids()).toHaveLength(2);
    for (const pid of await pids()) await expect.poll(() => isRunning(pid)).toBe(false);
  });

  test("silence", async () => {
    const launch = launchFake(
      { start: "hang", journal, ignoreSignals: true },
      { handshakeTimeoutMs: 1_500 },
    );
    await expect(launch).rejects.toThrow("did not say where it listens within 1.5 s");
    for (const pid of await pids()) await expect.poll(() => isRunning(pid)).toBe(false);
  });

  test("given up", async () => {
    const caller = new AbortController();
    const launch = launchFake({ start: "hang", journal }, { signal: caller.signal });
    const outcome = launch.catch((error: unknown) => error);
    await expect.poll(async () => (await pids()).length).toBe(1);
    caller.abort();
    expect(await outcome).toMatchObject({
      message: expect.stringContaining("was cancelled") as string,
    });
    for (const pid of await pids()) await expect.poll(() => isRunning(pid)).toBe(false);
  });

  test("no program", async () => {
    await expect(launchFake({}, { command: join(folder, "none") })).rejects.toThrow(
      "there is no program",
    );
    await expect(launchFake({}, { command: "opentalon-no-such-program" })).rejects.toThrow(
      "there is no program",
    );
    await expect(launchFake({}, { command: "" })).rejects.toMatchObject({
      reason: "handshake-failed",
    });
    await expect(launchFake({}, { command: "/a\u0000b" })).rejects.toMatchObject({
      reason: "handshake-failed",
    });
  });

  test("no permission", async () => {
    writeFileSync(join(folder, "plain"), "text");
    await expect(launchFake({}, { command: join(folder, "plain") })).rejects.toThrow("chmod +x");
  });

  test("no working directory", async () => {
    await expect(launchFake({}, { workingDirectory: join(folder, "none") })).rejects.toThrow(
      "does not exist",
    );
  });
});

test("twenty crashing starts leave no process, socket or folder", { timeout: 60_000 }, async () => {
  for (let round = 0; round < 5; round += 1) {
    const launches = Array.from({ length: 4 }, () =>
      launchFake({ start: "crash", journal, grandchild: true }),
    );
    for (const outcome of await Promise.allSettled(launches))
      expect(outcome.status).toBe("rejected");
  }
  const started = await pids();
  expect(started).toHaveLength(40);
  for (const pid of started) await expect.poll(() => isRunning(pid)).toBe(false);
  expect(readdirSync(temporary)).toEqual([]);
});

test("a plugin gets few variables, a folder for its socket and a folder of its own to run in", async () => {
  const environment = { PATH: process.env["PATH"], HOME: "/h", API_KEY: "secret-key" };
  const fake = await launchFake({}, { env: { ADDED: "yes" } }, { environment });
  const seen = JSON.parse(await ask(fake, "environment")) as Record<string, string>;
  expect(Object.keys(seen).sort()).toEqual(["ADDED", "HOME", "PATH", "TMPDIR"]);
  expect(dirname(dirname(fake.handshake.address))).toBe(seen["TMPDIR"]);
  const { workingDirectory } = JSON.parse(await ask(fake, "process")) as {
    workingDirectory: string;
  };
  const temporaryFolder = present(seen["TMPDIR"]);
  expect(workingDirectory).toBe(realpathSync(temporaryFolder));
  await fake.stop();
  expect(existsSync(temporaryFolder)).toBe(false);
});

test("a plugin keeps its working directory when state is kept, whatever its key holds", async () => {
  const fake = await launchFake({}, { plugin: "../../evil" }, { stateDirectory: folder });
  const { workingDirectory } = JSON.parse(await ask(fake, "process")) as {
    workingDirectory: string;
  };
  expect(dirname(workingDirectory)).toBe(realpathSync(join(folder, "plugins")));
  await fake.stop();
  expect(statSync(workingDirectory).isDirectory()).toBe(true);
});

test("a working directory can be given", async () => {
  const fake = await launchFake({}, { workingDirectory: folder });
  expect(JSON.parse(await ask(fake, "process"))).toMatchObject({
    workingDirectory: realpathSync(folder),
  });
  await fake.stop();
});

test("the end of a process is noticed and its group goes with it", async () => {
  const fake = await launchFake({ journal, grandchild: true });
  const [plugin, grandchild] = await pids();
  process.kill(present(plugin), "SIGKILL");
  await expect.poll(() => fake.gone.aborted).toBe(true);
  expect(fake.gone.reason).toMatchObject({
    reason: "crashed",
    message: 'the plugin "fake" was ended by SIGKILL',
  });
  await expect.poll(() => isRunning(present(grandchild))).toBe(false);
  await fake.stop();
  expect(existsSync(dirname(fake.handshake.address))).toBe(false);
});

test("a plugin that ignores signals is killed with its group", { timeout: 30_000 }, async () => {
  const fake = await launchFake({ journal, ignoreSignals: true, grandchild: true });
  await fake.stop();
  for (const pid of await pids()) await expect.poll(() => isRunning(pid)).toBe(false);
});

test("a socket outside the given folder is removed when it looks like a plugin's, and nothing else is", async () => {
  const outside = join(folder, "x");
  mkdirSync(outside);
  const fake = await launchFake({ socketParent: outside });
  const parent = dirname(fake.handshake.address);
  writeFileSync(join(parent, "keep"), "");
  await fake.stop();
  expect(readdirSync(parent)).toEqual(["keep"]);
  const other = await launchFake({ socketParent: outside });
  await other.stop();
  expect(existsSync(dirname(other.handshake.address))).toBe(false);
});

test.each(["stdout", "stderr"] as const)(
  "a plugin that floods %s still answers, and costs no memory",
  { timeout: 60_000 },
  async (flood) => {
    const before = process.memoryUsage.rss();
    const fake = await launchFake({ flood });
    let mostBytes = 0;
    for (let round = 0; round < 20; round += 1) {
      expect(await ask(fake, "config")).toBe("");
      await systemClock.sleep(50);
      mostBytes = Math.max(mostBytes, process.memoryUsage.rss() - before);
    }
    await fake.stop();
    expect(mostBytes).toBeLessThan(100 * 2 ** 20);
  },
);
