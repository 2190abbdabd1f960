import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { LaunchDependencies, LaunchedPlugin, LaunchOptions } from "../launch.ts";
import { launchPlugin } from "../launch.ts";
import { createOrphanGuard } from "../orphan-guard.ts";
import { createTemporaryFolders } from "../temporary-folder.ts";
import { toFakePluginCommand } from "./fake-plugin-command.ts";
import type { FakePluginOptions } from "./fake-plugin-options.ts";

/** What a fake plugin noted about itself. */
export interface FakeEvent {
  readonly event: "started" | "grandchild" | "call" | "asked";
  readonly pid?: number;
  readonly action?: string;
  readonly method?: string;
  readonly authorization?: string;
}

export interface LaunchedFake extends LaunchedPlugin {
  readonly calls: () => Promise<readonly FakeEvent[]>;
}

/** Launches a fake plugin, without supervision. `stop` leaves nothing behind. */
export async function launchFake(
  options: FakePluginOptions = {},
  changes: Partial<LaunchOptions> = {},
  dependencyChanges: Partial<LaunchDependencies> = {},
): Promise<LaunchedFake> {
  const folder = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  const journal = join(folder, "journal");
  const log = createSilentLog();
  const guard = createOrphanGuard({ log, environment: process.env });
  const dependencies: LaunchDependencies = {
    environment: process.env,
    folders: createTemporaryFolders(undefined),
    guard,
    clock: systemClock,
    log,
    ...dependencyChanges,
  };
  const release = async (): Promise<void> => {
    await guard[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  };
  try {
    const launched = await launchPlugin(
      {
        plugin: "fake",
        command: toFakePluginCommand({ journal, ...options }),
        handshakeTimeoutMs: 20_000,
        signal: new AbortController().signal,
        ...changes,
      },
      dependencies,
    );
    return {
      ...launched,
      calls: async () => (await readJournal(journal)).filter(({ event }) => event === "call"),
      stop: async () => {
        await launched.stop();
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** What fake plugins with this `journal` noted so far. */
export async function readJournal(path: string): Promise<readonly FakeEvent[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as FakeEvent);
}

/** Whether a process exists and is not merely waiting for its parent to take note of its end. */
export async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const state = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  return !/^\d+ \(.*\) Z/s.test(state);
}
