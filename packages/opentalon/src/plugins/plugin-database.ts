import { existsSync } from "node:fs";
import { lstat, mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { Clock } from "../base/clock.ts";
import { createDeadline } from "../base/deadline.ts";
import { formatDuration } from "../base/duration.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { toPrintableLine } from "../base/printable.ts";
import { describeEnd, startChildProcess } from "./child-process.ts";
import { toAbortError } from "./deadline.ts";
import type { Fence } from "./fence/create-fence.ts";
import type { OrphanGuard } from "./orphan-guard.ts";
import { parseRemoteAddress } from "./plugin-address.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import type { TemporaryFolders } from "./temporary-folder.ts";

export interface PluginDatabaseDependencies {
  /**
   * Program and arguments that bring a database up to date: it finds `{"file", "folder"}` in the file `migration.json` where
   * it runs, and writes one line of JSON, `{"applied": 2}` or `{"problem": "words"}`. Without it there are no migrations.
   */
  readonly migrationProgram?: readonly string[] | undefined;
  readonly folders: TemporaryFolders;
  readonly guard: OrphanGuard;
  /** Bounds the migrations, which are the plugin's words, like the plugin. */
  readonly fence: Fence;
  readonly clock: Clock;
  readonly log: Log;
}

const databaseVariable = "OPENTALON_DATABASE";

const migrationTimeoutMs = 60_000;
const maxOutputLength = 65_536;
const maxProblemLength = 500;
/** What the program that applies them needs by itself. */
const leastMemoryMb = 256;

/**
 * Makes the place of the plugin's own database ready and applies the migrations that lie beside its program. The entry
 * that comes back tells the plugin where the database is; one without a database, or of a plugin elsewhere, is as before.
 * @throws PluginError "handshake-failed" when a migration fails or was changed; that one has changed nothing then.
 */
export async function preparePluginDatabase(
  entry: PluginEntry,
  dependencies: PluginDatabaseDependencies,
  signal: AbortSignal,
): Promise<PluginEntry> {
  const { key, command, databaseFile, env } = entry;
  if (databaseFile === undefined || parseRemoteAddress(key, command) !== undefined) return entry;
  const file = resolve(databaseFile);
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await moveOlderDatabase(file);
    const folder = await findMigrations(entry);
    if (folder !== undefined) await migrate(entry, file, folder, dependencies, signal);
  } catch (error) {
    if (error instanceof PluginError) throw error;
    throw fail(key, `has no database: ${toMessage(error)}`);
  }
  return { ...entry, dataFolder: dirname(file), env: { [databaseVariable]: file, ...env } };
}

/** The Go program keeps all databases in one folder: `<folder>.db`, beside the folder that is the plugin's own here. */
async function moveOlderDatabase(file: string): Promise<void> {
  const older = `${dirname(file)}.db`;
  const status = await lstat(older).catch(() => undefined);
  if (status?.isFile() !== true || existsSync(file)) return;
  // The log of changes belongs to the database: whatever is interrupted here, the database itself goes last.
  for (const end of ["-wal", "-shm", "-journal", ""]) {
    const part = await lstat(older + end).catch(() => undefined);
    if (part?.isFile() === true) await rename(older + end, file + end);
  }
}

/** Beside the sources of the plugin, otherwise beside its program or the script a program runs. */
async function findMigrations({
  command,
  programFolder,
}: PluginEntry): Promise<string | undefined> {
  const parts = typeof command === "string" ? [command] : command;
  const folders =
    programFolder === undefined
      ? parts
          .filter((part) => part.includes("/") && !part.startsWith("-"))
          .map((part) => dirname(resolve(part)))
      : [programFolder];
  for (const folder of folders) {
    const path = join(folder, "migrations");
    const status = await lstat(path).catch(() => undefined);
    if (status?.isDirectory() === true) return path;
  }
  return undefined;
}

async function migrate(
  { key, limits = {} }: PluginEntry,
  file: string,
  folder: string,
  { migrationProgram, folders, guard, fence, clock, log }: PluginDatabaseDependencies,
  signal: AbortSignal,
): Promise<void> {
  if (migrationProgram === undefined) return;
  await using ends = new AsyncDisposableStack();
  const { path: workingDirectory, remove } = await folders.create();
  ends.defer(remove);
  await writeFile(join(workingDirectory, "migration.json"), JSON.stringify({ file, folder }));
  const environment = { TMPDIR: workingDirectory };
  const { memoryMb, diskMb } = limits;
  const enclosure = await fence.enclose({
    command: migrationProgram,
    environment,
    workingDirectory,
    temporaryFolder: workingDirectory,
    dataFolder: dirname(file),
    limits: {
      diskMb,
      memoryMb: memoryMb === undefined ? undefined : Math.max(memoryMb, leastMemoryMb),
    },
    sandbox: "off",
    network: false,
  });
  ends.defer(enclosure.remove);
  const limit = `its migrations took longer than ${formatDuration(migrationTimeoutMs)}`;
  using deadline = createDeadline({
    clock,
    timeoutMs: migrationTimeoutMs,
    signal,
    toError: () => fail(key, `cannot be started: ${limit}`),
  });
  const child = startChildProcess({ ...enclosure, workingDirectory, environment, clock });
  const { pid } = child;
  const kill = (): void => {
    enclosure.kill();
    void child.stop(0);
  };
  if (pid !== undefined) {
    guard.add(pid, workingDirectory, enclosure.cgroups);
    enclosure.watch(pid, kill);
  }
  deadline.signal.addEventListener("abort", kill, { once: true });
  if (deadline.signal.aborted) kill();
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(0, maxOutputLength);
  });
  child.stderr.resume();
  try {
    const end = await child.ended;
    const breach = enclosure.explainEnd(end);
    if (pid !== undefined) guard.remove(pid);
    await child.outputEnded;
    if (deadline.signal.aborted) throw toAbortError(key, deadline.signal);
    const outcome = parseOutcome(output) ?? {
      problem: `the migration ${breach ?? describeEnd(end)}`,
    };
    if (outcome.problem !== undefined) {
      const problem = toPrintableLine(outcome.problem.slice(0, maxProblemLength));
      throw fail(key, `cannot be started, its database was not migrated: ${problem}`);
    }
    if (outcome.applied > 0) log.info({ applied: outcome.applied, file }, "Database migrated");
  } finally {
    deadline.signal.removeEventListener("abort", kill);
    enclosure.kill();
  }
}

type Outcome =
  | { readonly applied: number; readonly problem?: undefined }
  | { readonly problem: string };

function parseOutcome(output: string): Outcome | undefined {
  try {
    const { applied, problem } = JSON.parse(output) as Record<string, unknown>;
    if (typeof problem === "string") return { problem };
    return typeof applied === "number" ? { applied } : undefined;
  } catch {
    return undefined;
  }
}

function fail(key: string, problem: string): PluginError {
  return new PluginError(key, "handshake-failed", `the plugin "${key}" ${problem}`);
}
