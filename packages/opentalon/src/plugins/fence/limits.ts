import type { ProcessLimits } from "../plugin-entry.ts";

/** A bound that a program has broken. */
export type Breach = "memory" | "processor" | "processes" | "open-files" | "disk";

/** What the program did, in words that follow its name and name the key to change. */
export function describeBreach(breach: Breach, limits: ProcessLimits): string {
  switch (breach) {
    case "memory":
      return `used more than ${limits.memoryMb} MiB of memory (limits.memory_mb)`;
    case "processor":
      return `used more than ${limits.cpuSeconds} s of processor time (limits.cpu_seconds)`;
    case "processes":
      return `had more than ${limits.processes} processes and threads (limits.processes)`;
    case "open-files":
      return `had all of its ${limits.openFiles} files and connections open (limits.open_files)`;
    case "disk":
      return `wrote more than ${limits.diskMb} MiB into its folders (limits.disk_mb)`;
  }
}

/** Words for each bound, for a sentence about several. */
export const limitKeys = {
  memory: "limits.memory_mb",
  processor: "limits.cpu_seconds",
  processes: "limits.processes",
  "open-files": "limits.open_files",
  disk: "limits.disk_mb",
} as const satisfies Readonly<Record<Breach, string>>;
