import type { Logger as PinoLogger } from "pino";

/** What the rest of the program logs with: pino's interface, created in `create-log.ts`. */
export type Log = Pick<
  PinoLogger,
  "debug" | "info" | "warn" | "error" | "child" | "isLevelEnabled"
>;
