import type { Clock } from "../../base/clock.ts";
import { findMarked } from "./end-marked.ts";
import type { ProcessRecord } from "./process-table.ts";
import { readProcesses } from "./process-table.ts";
import type { ProcessTree } from "./process-tree.ts";
import type { Watch } from "./watch.ts";

export interface Watched {
  readonly watch: Watch;
  /** Where nothing else keeps the processes together: what we know of them, and the folder that gives them away. */
  readonly tree?: { readonly processes: ProcessTree; readonly temporaryFolder: string } | undefined;
  /** The system does not bound everything by itself here, so that each moment counts. */
  readonly isUrgent: boolean;
}

/** Looks at all plugins again and again, as long as there are any. */
export interface WatchAll {
  /** The returned function ends it. */
  readonly add: (watched: Watched) => () => void;
}

const calmPauseMs = 500;
const urgentPauseMs = 200;
/** The most strangers whose environment is looked at in one go; the rest has its turn at the next. */
const mostStrangers = 2_000;

export function createWatchAll({
  clock,
  searchPath,
}: {
  readonly clock: Clock;
  readonly searchPath: string;
}): WatchAll {
  const active = new Set<Watched>();
  let isScheduled = false;
  /** Processes that belong to nobody here, by number, with their start. */
  let strangers = new Map<number, number>();
  let isLookingForHidden = false;

  const look = (): void => {
    isScheduled = false;
    let table: ReadonlyMap<number, ProcessRecord> | undefined;
    for (const { watch } of active) watch.look(() => (table ??= readProcesses()));
    if (table !== undefined) lookForHidden(table);
    schedule();
  };

  const schedule = (): void => {
    if (isScheduled || active.size === 0) return;
    isScheduled = true;
    const isUrgent = [...active].some((each) => each.isUrgent);
    clock.after(isUrgent ? urgentPauseMs : calmPauseMs, look);
  };

  /** Whoever has left its parent and its group between two looks still has the environment it was given. */
  const lookForHidden = (table: ReadonlyMap<number, ProcessRecord>): void => {
    const trees = [...active].flatMap(({ tree }) => tree ?? []);
    const fresh = [...table.values()].filter(
      (record) =>
        strangers.get(record.pid) !== record.startedAtTicks &&
        !trees.some(({ processes }) => processes.has(record)),
    );
    if (isLookingForHidden || fresh.length === 0 || trees.length === 0) return;
    isLookingForHidden = true;
    const asked = fresh.slice(0, mostStrangers);
    const folders = trees.map(({ temporaryFolder }) => temporaryFolder);
    void findMarked(
      asked.map(({ pid }) => pid),
      folders,
      searchPath,
    ).then((marked) => {
      isLookingForHidden = false;
      const stillThere = [...strangers].filter(
        ([pid, startedAtTicks]) => table.get(pid)?.startedAtTicks === startedAtTicks,
      );
      strangers = new Map(stillThere);
      for (const record of asked) {
        const folder = marked.get(record.pid);
        const tree = trees.find(({ temporaryFolder }) => temporaryFolder === folder);
        if (tree === undefined) strangers.set(record.pid, record.startedAtTicks);
        else tree.processes.adopt(record);
      }
    });
  };

  return {
    add: (watched) => {
      active.add(watched);
      schedule();
      return () => void active.delete(watched);
    },
  };
}
