import type { Clock } from "../../base/clock.ts";
import type { ProcessLimits } from "../plugin-entry.ts";
import type { Cgroup } from "./cgroups.ts";
import { measureFolders, measureRemovedFiles } from "./disk-use.ts";
import type { Breach } from "./limits.ts";
import type { ProcessRecord } from "./process-table.ts";
import { countOpenFiles, readProcess } from "./process-table.ts";
import type { ProcessTree } from "./process-tree.ts";

/** What keeps the processes of a plugin together: the system, or what we see of them. */
export type Members =
  | { readonly kind: "cgroup"; readonly cgroup: Cgroup }
  | { readonly kind: "tree"; readonly tree: ProcessTree };

export interface WatchOptions {
  readonly limits: ProcessLimits;
  readonly members: Members;
  /** Own folders of the plugin, whose contents count. */
  readonly folders: readonly string[];
  readonly clock: Clock;
  /** Called once, with the first bound that was broken. */
  readonly onBreach: (breach: Breach) => void;
}

/** Looks after the bounds of one running plugin that the system does not enforce, or enforces without a word. */
export interface Watch {
  /** Looks once. `table` gives all processes, from a look that all watches share. */
  readonly look: (table: () => ReadonlyMap<number, ProcessRecord>) => void;
  readonly stop: () => void;
}

/** Of the time a look at the folders takes, this many times as long is the pause after it. */
const diskPauseFactor = 5;
const leastDiskPauseMs = 500;
/** Beyond so many members single ones are not looked at: their number says enough. */
const mostRead = 512;

export function createWatch({ limits, members, folders, clock, onBreach }: WatchOptions): Watch {
  let stopped = false;
  let cancelDisk = (): void => {};
  let pids: readonly number[] = [];

  const report = (breach: Breach | undefined): void => {
    if (stopped || breach === undefined) return;
    stop();
    onBreach(breach);
  };

  const lookAtDisk = async (): Promise<void> => {
    const { diskMb } = limits;
    if (diskMb === undefined) return;
    const startedAtMs = clock.now();
    const mostBytes = diskMb * 2 ** 20;
    const inFolders = await measureFolders(folders, mostBytes);
    const removed = inFolders > mostBytes ? 0 : await measureRemovedFiles(pids);
    if (inFolders + removed > mostBytes) return report("disk");
    if (stopped) return;
    const tookMs = clock.now() - startedAtMs;
    const pauseMs = Math.max(leastDiskPauseMs, diskPauseFactor * tookMs);
    cancelDisk = clock.after(pauseMs, () => void lookAtDisk());
  };

  const stop = (): void => {
    stopped = true;
    cancelDisk();
  };

  void lookAtDisk();
  return {
    look: (table) => {
      if (stopped) return;
      if (members.kind === "cgroup") members.cgroup.balance();
      const records = members.kind === "tree" ? members.tree.update(table()) : undefined;
      pids = (records?.map(({ pid }) => pid) ?? readMembers(members)).slice(0, mostRead);
      report(
        (members.kind === "cgroup" ? members.cgroup.breach() : undefined) ??
          findUnenforced(
            limits,
            members,
            () => records ?? pids.flatMap((pid) => readProcess(pid) ?? []),
          ) ??
          (hasAllFilesOpen(limits, pids) ? "open-files" : undefined),
      );
    },
    stop,
  };
}

function readMembers(members: Members): readonly number[] {
  return members.kind === "cgroup" ? members.cgroup.members() : [];
}

/** The first bound that is broken of those the system does not enforce by itself. */
function findUnenforced(
  { memoryMb, processes, cpuSeconds }: ProcessLimits,
  members: Members,
  read: () => readonly ProcessRecord[],
): Breach | undefined {
  const enforced = members.kind === "cgroup" ? members.cgroup.enforces : [];
  const sum = (of: (record: ProcessRecord) => number): number =>
    read().reduce((total, record) => total + of(record), 0);
  if (
    memoryMb !== undefined &&
    !enforced.includes("memory") &&
    sum(({ residentBytes }) => residentBytes) > memoryMb * 2 ** 20
  )
    return "memory";
  if (
    processes !== undefined &&
    !enforced.includes("processes") &&
    sum(({ threads }) => threads) > processes
  )
    return "processes";
  if (cpuSeconds === undefined) return undefined;
  const counted = members.kind === "cgroup" ? members.cgroup.cpuMs() : members.tree.cpuMs();
  const cpuMs = counted ?? sum(({ cpuWithChildrenMs }) => cpuWithChildrenMs);
  return cpuMs > cpuSeconds * 1_000 ? "processor" : undefined;
}

function hasAllFilesOpen({ openFiles }: ProcessLimits, pids: readonly number[]): boolean {
  return openFiles !== undefined && pids.some((pid) => countOpenFiles(pid) >= openFiles);
}
