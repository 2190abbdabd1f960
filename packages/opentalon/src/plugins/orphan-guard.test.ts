import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import { createOrphanGuard } from "./orphan-guard.ts";
import { toFakePluginCommand } from "./testing/fake-plugin-command.ts";
import { isRunning, readJournal } from "./testing/launch-fake.ts";
import { present } from "./testing/present.ts";
import { sourceArguments } from "../base/testing/source-arguments.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "t-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test(
  "plugins, their children and their sockets do not outlive a host that is killed",
  { timeout: 60_000 },
  async () => {
    const journal = join(folder, "journal");
    const temporary = join(folder, "tmp");
    mkdirSync(temporary);
    const entries = [
      {
        key: "a",
        command: toFakePluginCommand({ journal, name: "a", ignoreSignals: true, grandchild: true }),
      },
      { key: "b", command: toFakePluginCommand({ journal, name: "b", generation: "json" }) },
      { key: "c", command: toFakePluginCommand({ journal, name: "c", start: "crash" }) },
    ];
    const program = fileURLToPath(new URL("testing/host-process.ts", import.meta.url));
    const host = spawn(process.execPath, [...sourceArguments, program, JSON.stringify(entries)], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(host.stdout, "data")) as [Buffer];
    expect(JSON.parse(line.toString())).toMatchObject([
      { state: "ready" },
      { state: "ready" },
      { state: "failed" },
    ]);
    const pids = (await readJournal(journal)).flatMap(({ pid }) =>
      pid === undefined ? [] : [pid],
    );
    expect(pids).toHaveLength(4);
    host.kill("SIGKILL");
    await once(host, "exit");
    for (const pid of pids)
      await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false);
    await expect.poll(() => readdirSync(temporary), { timeout: 10_000 }).toEqual([]);
  },
);

test("only groups still on the list are killed, and their folders removed", async () => {
  const children = Array.from({ length: 3 }, (_, index) => {
    const child = spawn("/bin/sleep", ["600"], { detached: true, stdio: "ignore" });
    return {
      pid: present(child.pid),
      end: once(child, "exit"),
      folder: join(folder, `with space ${index}`),
    };
  });
  const [first, spared, last] = children.map(({ end }) => end);
  const [, { pid: sparedPid }] = children as [unknown, { pid: number }];
  for (const child of children) mkdirSync(child.folder);
  const guard = createOrphanGuard({ log: createSilentLog(), environment: process.env });
  for (const child of children) guard.add(child.pid, child.folder);
  guard.remove(sparedPid);
  await guard[Symbol.asyncDispose]();
  await Promise.all([first, last]);
  expect(children.map((child) => existsSync(child.folder))).toEqual([false, true, false]);
  expect(await isRunning(sparedPid)).toBe(true);
  process.kill(sparedPid, "SIGKILL");
  await spared;
});

test("whoever has the temporary folder of a group is killed with it, whatever group it is in", async () => {
  const own = join(folder, "own");
  mkdirSync(own);
  const start = (TMPDIR: string): ChildProcess =>
    spawn("/bin/sleep", ["600"], { detached: true, stdio: "ignore", env: { TMPDIR } });
  const [first, hidden, stranger] = [start(own), start(own), start(join(folder, "other"))];
  const ends = [once(first, "exit"), once(hidden, "exit")];
  const guard = createOrphanGuard({ log: createSilentLog(), environment: process.env });
  guard.add(present(first.pid), own);
  await guard[Symbol.asyncDispose]();
  await Promise.all(ends);
  expect(await isRunning(present(stranger.pid))).toBe(true);
  const end = once(stranger, "exit");
  stranger.kill("SIGKILL");
  await end;
});

test("a guard that never had anything to watch starts nothing", async () => {
  const guard = createOrphanGuard({ log: createSilentLog(), environment: process.env });
  await guard[Symbol.asyncDispose]();
});
