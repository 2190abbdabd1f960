import { pino } from "pino";
import type { Log } from "./log.ts";
import { redactSecrets } from "./secret.ts";

export interface LogOptions {
  readonly level: string;
  /** Path of a file to append to; stderr when absent. */
  readonly file?: string | undefined;
  /** One readable line per entry instead of JSON. */
  readonly pretty: boolean;
}

/** Structured log to stderr or a file; every line passes `redactSecrets` on its way out. */
export function createLog({ level, file, pretty }: LogOptions): Log {
  const destination = pino.destination({
    dest: file ?? 2,
    sync: true,
    append: true,
    mkdir: true,
    mode: 0o600,
  });
  const stream = {
    write: (line: string): void => {
      const safe = redactSecrets(line);
      destination.write(pretty ? toReadableLine(safe) : safe);
    },
  };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}

const levelNames: Readonly<Record<number, string>> = {
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
};

function toReadableLine(line: string): string {
  const entry = JSON.parse(line) as Record<string, unknown>;
  const { level, time, msg, err, ...rest } = entry;
  const details = Object.entries(rest).map(([key, value]) => {
    return `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
  const { message, code } = (err ?? {}) as { message?: string; code?: string };
  if (message !== undefined) details.push(`error=${JSON.stringify(message)}`);
  if (code !== undefined) details.push(`code=${code}`);
  const clockTime = String(time).slice(11, 19);
  return `${clockTime} ${levelNames[Number(level)] ?? "info"}  ${String(msg)}${details.length > 0 ? `  ${details.join(" ")}` : ""}\n`;
}

/** A log that keeps nothing. */
export function createSilentLog(): Log {
  return pino({ level: "silent" });
}
