import { pino } from "pino";
import type { Log } from "./log.ts";
import { toPrintableLine } from "./printable.ts";
import { redactSecrets } from "./secret.ts";

export interface LogOptions {
  readonly level: string;
  /** Path of a file to append to; stderr when absent. */
  readonly file?: string | undefined;
  /** One readable line per entry instead of JSON. */
  readonly pretty: boolean;
}

/**
 * Structured log to stderr or a file. Every line passes `redactSecrets` on its way out, and holds nothing a terminal
 * would obey: much of what is logged was said by plugins and platforms.
 */
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
      destination.write(pretty ? `${toReadableLine(safe)}\n` : escapeRest(safe));
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

/** Escapes what JSON leaves as it is and a terminal does not. */
function escapeRest(line: string): string {
  return line.replaceAll(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function toReadableLine(json: string): string {
  const entry = JSON.parse(json) as Record<string, unknown>;
  const { level, time, msg, err, ...rest } = entry;
  const details = Object.entries(rest).map(([key, value]) => {
    return `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
  const { message, code } = (err ?? {}) as { message?: string; code?: string };
  if (message !== undefined) details.push(`error=${JSON.stringify(message)}`);
  if (code !== undefined) details.push(`code=${code}`);
  const clockTime = String(time).slice(11, 19);
  const line = `${clockTime} ${levelNames[Number(level)] ?? "info"}  ${String(msg)}${details.length > 0 ? `  ${details.join(" ")}` : ""}`;
  return toPrintableLine(line);
}

/** A log that keeps nothing. */
export function createSilentLog(): Log {
  return pino({ level: "silent" });
}
