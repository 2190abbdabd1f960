import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createFence } from "../fence/create-fence.ts";
import type { LaunchDependencies, LaunchedPlugin, LaunchOptions } from "../launch.ts";
import { launchPlugin } from "../launch.ts";
import { createOrphanGuard } from "../orphan-guard.ts";
import { createTemporaryFolders } from "../temporary-folder.ts";
import { toFakePluginCommand } from "./fake-plugin-command.ts";
import type { FakePluginOptions } from "./fake-plugin-options.ts";

/** What a fake plugin noted about itself. */
export interface FakeEvent {
  readonly event:
    | "started"
    | "grandchild"
    | "call"
    | "asked"
    // Of a call with callbacks: the host closed its side, gave up, called twice.
    | "half-closed"
    | "cancelled"
    | "second-call";
  readonly pid?: number;
  readonly action?: string;
  readonly method?: string;
  readonly authorization?: string;
}

export interface LaunchedFake extends LaunchedPlugin {
  /** Where it notes what happens. */
  readonly journal: string;
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
    fence: createFence({ searchPath: process.env["PATH"] ?? "", clock: systemClock, log }),
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
        // In a sandbox there is no place for it.
        command: toFakePluginCommand({
          ...(changes.sandbox === "strict" ? {} : { journal }),
          ...options,
        }),
        handshakeTimeoutMs: 20_000,
        signal: new AbortController().signal,
        ...changes,
      },
      dependencies,
    );
    return {
      ...launched,
      journal,
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
