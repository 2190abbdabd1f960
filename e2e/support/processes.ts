import { existsSync, readFileSync } from "node:fs";

/** Whether a process runs; one that has ended and waits to be collected does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat === "" || !/\) [ZX] /.test(stat);
}

/** Most memory a running process ever held, in bytes; 0 on systems that do not tell. */
export function peakResidentBytes(pid: number): number {
  if (process.platform !== "linux") return 0;
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (peak === undefined) throw new Error(`the system does not tell the memory of process ${pid}`);
  return Number(peak) * 1_024;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** One line of a fake plugin's journal, see `fake-plugin-options.ts`. */
export interface PluginEvent {
  readonly event: "started" | "grandchild" | "call";
  readonly pid?: number;
  readonly action?: string;
}

export function readPluginJournal(path: string): readonly PluginEvent[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as PluginEvent);
}

/** Processes a plugin consisted of, its own and those it started. */
export function readPluginPids(path: string): readonly number[] {
  return readPluginJournal(path).flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
}
