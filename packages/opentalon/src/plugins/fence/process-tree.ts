import type { ProcessRecord } from "./process-table.ts";

/**
 * The processes of one plugin where the system does not keep them together: those in its process group, what any of
 * them starts, and whoever was once seen to be one of them.
 */
export interface ProcessTree {
  /** Members that still run, from a fresh look at all processes. */
  readonly update: (table: ReadonlyMap<number, ProcessRecord>) => readonly ProcessRecord[];
  /** Whether it was a member at the last look. */
  readonly has: (process: ProcessRecord) => boolean;
  /** Counts a process as a member that was found in another way. */
  readonly adopt: (process: ProcessRecord) => void;
  /** Processor time of all members ever seen. */
  readonly cpuMs: () => number;
}

/** @param groupId number of the first process and of its group. */
export function createProcessTree(groupId: number): ProcessTree {
  let known = new Map<number, ProcessRecord>();
  let cpuOfEndedMs = 0;
  let cpuMs = 0;

  const isKnown = ({ pid, startedAtTicks }: ProcessRecord): boolean =>
    known.get(pid)?.startedAtTicks === startedAtTicks;

  return {
    update: (table) => {
      const members = new Map<number, ProcessRecord>();
      const visited = new Set<number>();
      const isMember = (record: ProcessRecord): boolean => {
        if (members.has(record.pid)) return true;
        if (visited.has(record.pid)) return false;
        visited.add(record.pid);
        const parent = table.get(record.parentPid);
        const belongs =
          record.groupId === groupId ||
          isKnown(record) ||
          (parent !== undefined && isMember(parent));
        if (belongs) members.set(record.pid, record);
        return belongs;
      };
      for (const record of table.values()) isMember(record);
      for (const ended of known.values())
        if (members.get(ended.pid)?.startedAtTicks !== ended.startedAtTicks)
          cpuOfEndedMs += ended.cpuMs;
      known = members;
      const all = [...members.values()];
      const sum = (toMs: (record: ProcessRecord) => number): number =>
        all.reduce((total, record) => total + toMs(record), 0);
      // Children that came and went between two looks show only in their parents.
      cpuMs = Math.max(
        cpuMs,
        cpuOfEndedMs + sum((record) => record.cpuMs),
        sum((record) => record.cpuWithChildrenMs),
      );
      return all;
    },
    has: isKnown,
    adopt: (record) => void known.set(record.pid, record),
    cpuMs: () => cpuMs,
  };
}
