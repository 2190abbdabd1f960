import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { ProcessLimits } from "../plugin-entry.ts";
import type { CgroupPlaces } from "./find-cgroups.ts";
import type { Breach } from "./limits.ts";

/**
 * The control group of one plugin: a set of processes the system keeps together, which none of them leaves by starting
 * another, and whose memory and number it bounds itself.
 */
export interface Cgroup {
  /** Folders of the group, one for each hierarchy. A process joins by writing its number into `cgroup.procs` of each. */
  readonly folders: readonly string[];
  /** Which bounds the system enforces. */
  readonly enforces: readonly Breach[];
  readonly members: () => readonly number[];
  /** What the system had to do to keep a bound; `undefined` as long as nothing. */
  readonly breach: () => Breach | undefined;
  /** Processor time of all that ever were members; `undefined` when it is not counted. */
  readonly cpuMs: () => number | undefined;
  /** Puts the group behind everything else while it keeps processors busy, and beside it while it does not. */
  readonly balance: () => void;
  /** Ends all members; where the number of processes is bounded, no new ones can come meanwhile. */
  readonly kill: () => void;
  /** Ends what is left and removes the group. Never rejects. */
  readonly remove: () => Promise<void>;
}

export interface CgroupOptions {
  readonly places: CgroupPlaces;
  /** Unique on this machine. */
  readonly name: string;
  readonly limits: ProcessLimits;
  readonly clock: Clock;
}

/**
 * What a group gets of a processor that others want, too, of 1024, which is what each of them has. A plugin that works now
 * and then is as quick as anything else on a busy machine. One that is always busy gets what nobody else wants, where
 * the system knows such a state, since only that one lets go of a processor at once; and little elsewhere. Should there be
 * so little left that it no longer keeps a processor busy, it gets its share again.
 */
const calmShare = 1_024;
const busyShare = 128;
/** Of a processor, over the time between two looks. */
const busyFrom = 0.75;
const removeRounds = 200;
const removePauseMs = 10;

/** @throws as the file system does; nothing is left then. */
export function createCgroup({ places, name, limits, clock }: CgroupOptions): Cgroup {
  const folderOf = (place: string | undefined): string | undefined =>
    place === undefined ? undefined : join(place, name);
  const memory = folderOf(places.memory);
  const pids = folderOf(places.pids);
  const cpu = folderOf(places.cpu);
  const accounting = folderOf(places.cpuAccounting);
  const folders = [...new Set([folderOf(places.any), memory, pids, cpu, accounting])].filter(
    (folder) => folder !== undefined,
  );
  const [first = ""] = pids === undefined ? folders : [pids];

  const removeFolders = (): boolean => {
    for (const folder of folders) quietly(() => rmdirSync(folder));
    return !folders.some(existsSync);
  };
  try {
    for (const folder of folders) mkdirSync(folder, { recursive: true });
    if (memory !== undefined) boundMemory(memory, limits.memoryMb);
    if (pids !== undefined && limits.processes !== undefined)
      writeFileSync(join(pids, "pids.max"), String(limits.processes));
  } catch (error) {
    removeFolders();
    throw error;
  }

  const members = (): readonly number[] =>
    readText(join(first, "cgroup.procs"))
      .split("\n")
      .filter((line) => line !== "")
      .map(Number);
  const kill = (): void => {
    writeIfThere(join(first, "pids.max"), "0");
    writeIfThere(join(first, "cgroup.kill"), "1");
    // 0 stands for a process that cannot be seen from here, and would be us.
    for (const pid of members().filter((number) => number > 0))
      quietly(() => process.kill(pid, "SIGKILL"));
  };

  const cpuMs = (): number | undefined => {
    if (accounting === undefined) return undefined;
    const nanoseconds = readText(join(accounting, "cpuacct.usage"));
    if (nanoseconds !== "") return Number(nanoseconds) / 1e6;
    return readCount(join(accounting, "cpu.stat"), "usage_usec") / 1e3;
  };
  let isBehind = false;
  let last = { atMs: clock.now(), cpuMs: 0 };
  const balance = (): void => {
    const next = { atMs: clock.now(), cpuMs: cpuMs() ?? 0 };
    if (cpu === undefined || next.atMs <= last.atMs) return;
    const isBusy = next.cpuMs - last.cpuMs > busyFrom * (next.atMs - last.atMs);
    last = next;
    if (isBusy === isBehind) return;
    isBehind = isBusy;
    if (existsSync(join(cpu, "cpu.idle")))
      return writeIfThere(join(cpu, "cpu.idle"), isBusy ? "1" : "0");
    const share = isBusy ? busyShare : calmShare;
    writeIfThere(join(cpu, "cpu.shares"), String(share));
    writeIfThere(join(cpu, "cpu.weight"), String(Math.round((share * 100) / 1_024)));
  };

  return {
    folders,
    enforces: [
      ...(memory === undefined ? [] : (["memory"] as const)),
      ...(pids === undefined ? [] : (["processes"] as const)),
    ],
    members,
    breach: () => {
      if (memory !== undefined && limits.memoryMb !== undefined) {
        const kills =
          readCount(join(memory, "memory.events"), "oom_kill") +
          readCount(join(memory, "memory.oom_control"), "oom_kill");
        if (kills > 0) return "memory";
      }
      const refused = pids === undefined ? 0 : readCount(join(pids, "pids.events"), "max");
      return refused > 0 && limits.processes !== undefined ? "processes" : undefined;
    },
    cpuMs,
    balance,
    kill,
    remove: async () => {
      for (let round = 0; round < removeRounds; round += 1) {
        if (members().length > 0) kill();
        if (removeFolders()) return;
        await clock.sleep(removePauseMs);
      }
    },
  };
}

function boundMemory(folder: string, memoryMb: number | undefined): void {
  if (memoryMb === undefined) return;
  const bytes = String(memoryMb * 2 ** 20);
  if (existsSync(join(folder, "memory.max"))) {
    writeFileSync(join(folder, "memory.max"), bytes);
    writeIfThere(join(folder, "memory.swap.max"), "0");
    writeIfThere(join(folder, "memory.oom.group"), "1");
    return;
  }
  writeFileSync(join(folder, "memory.limit_in_bytes"), bytes);
  // Memory and swap together; only there when the kernel counts swap.
  writeIfThere(join(folder, "memory.memsw.limit_in_bytes"), bytes);
}

/** The number behind `name` in a file of lines of names and numbers; 0 when it is not there. */
function readCount(path: string, name: string): number {
  const line = readText(path)
    .split("\n")
    .find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? "0");
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function writeIfThere(path: string, text: string): void {
  // Never creates the file: outside such a file system that would succeed and mean nothing.
  quietly(() => writeFileSync(path, text, { flag: "r+" }));
}

function quietly(task: () => void): void {
  try {
    task();
  } catch {
    // What is gone needs nothing more, and what is refused shows where the result is looked at.
  }
}
