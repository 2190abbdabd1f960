import { join } from "node:path";

/** Starts the channel from its sources. */
export const matrixCommand: readonly string[] = [
  process.execPath,
  "--conditions=@opentalon/source",
  join(import.meta.dirname, "..", "main.ts"),
];
