import { readdirSync, readFileSync, statSync } from "node:fs";

/** What the system says of one process. */
export interface ProcessRecord {
  readonly pid: number;
  readonly parentPid: number;
  readonly groupId: number;
  /** Since the machine started, in ticks; tells a process from a later one with the same number. */
  readonly startedAtTicks: number;
  /** Processor time of the process itself. */
  readonly cpuMs: number;
  /** The same, with what ended children used whose end it has taken note of. */
  readonly cpuWithChildrenMs: number;
  readonly threads: number;
  readonly residentBytes: number;
}

/** Whether this system tells about processes in the way that is read here. */
export function hasProcessTable(): boolean {
  return readProcess(process.pid) !== undefined;
}

/** All processes, by number. Those that end meanwhile, and those that have ended, are left out. */
export function readProcesses(): ReadonlyMap<number, ProcessRecord> {
  const records = new Map<number, ProcessRecord>();
  for (const name of listFolder("/proc")) {
    const pid = Number(name);
    const record = Number.isInteger(pid) ? readProcess(pid) : undefined;
    if (record !== undefined) records.set(pid, record);
  }
  return records;
}

/** One process; `undefined` when there is none, or when only its parent has not yet taken note of its end. */
export function readProcess(pid: number): ProcessRecord | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // The name of a program may hold blanks and brackets.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number): number => Number(fields[number - 3]);
  if (fields.length < 22 || fields[0] === "Z" || fields[0] === "X") return undefined;
  const ownTicks = field(14) + field(15);
  return {
    pid,
    parentPid: field(4),
    groupId: field(5),
    startedAtTicks: field(22),
    cpuMs: ownTicks * msPerTick,
    cpuWithChildrenMs: (ownTicks + field(16) + field(17)) * msPerTick,
    threads: field(20),
    residentBytes: field(24) * pageBytes(),
  };
}

/** How many files and connections a process has open; 0 when that is not told, as of a process of somebody else. */
export function countOpenFiles(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  try {
    // Newer kernels say it as the size of the folder, which is cheaper than a list.
    return statSync(folder).size || readdirSync(folder).length;
  } catch {
    return 0;
  }
}

/** The same on every architecture Linux runs on. */
const msPerTick = 10;

/** Size of a page, from what two sources say of our own memory. */
function pageBytes(): number {
  const pages = Number(readText("/proc/self/statm").split(" ")[1]);
  return 2 ** Math.max(12, Math.round(Math.log2(process.memoryUsage.rss() / pages)));
}

function listFolder(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
