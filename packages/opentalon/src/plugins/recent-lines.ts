import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { toPrintableLine } from "../base/printable.ts";
import { redactSecrets } from "../base/secret.ts";

/** A line about a plugin, printable and without secrets. */
export interface RecentLine {
  readonly atMs: number;
  /** Who wrote it: the plugin itself, or OpenTalon about it. */
  readonly from: "plugin" | "opentalon";
  readonly text: string;
}

/** The last lines of a plugin's log, within bounds. */
export interface RecentLines {
  /** The newest `count`, the oldest of them first. */
  readonly last: (count: number) => readonly RecentLine[];
  /** Tells each new line; the returned function calls that off. */
  readonly follow: (onLine: (line: RecentLine) => void) => () => void;
  /** A log that keeps what it passes on. */
  readonly record: (log: Log) => Log;
}

export const maxRecentLines = 500;
const maxLength = 262_144;
const maxLineLength = 4_096;

export function createRecentLines(clock: Clock): RecentLines {
  const lines: RecentLine[] = [];
  let length = 0;
  const followers = new Set<(line: RecentLine) => void>();

  const add = (from: RecentLine["from"], text: string): void => {
    const safe = toPrintableLine(redactSecrets(text)).slice(0, maxLineLength);
    const line = { atMs: clock.now(), from, text: safe };
    lines.push(line);
    length += safe.length;
    while (lines.length > maxRecentLines || length > maxLength)
      length -= lines.shift()?.text.length ?? 0;
    for (const follower of followers) follower(line);
  };

  return {
    last: (count) => (count <= 0 ? [] : lines.slice(-count)),
    follow: (onLine) => {
      followers.add(onLine);
      return () => void followers.delete(onLine);
    },
    record: (log) => {
      const keep =
        (level: "info" | "warn" | "error") =>
        (first: unknown, message?: string, ...rest: readonly unknown[]): void => {
          // What a plugin wrote comes as text alone, see `log-lines.ts`.
          if (typeof first !== "string") add("opentalon", toText(first, message));
          else add(level === "info" ? "plugin" : "opentalon", first);
          log[level](first, message, ...rest);
        };
      return {
        debug: log.debug.bind(log),
        info: keep("info"),
        warn: keep("warn"),
        error: keep("error"),
        child: log.child.bind(log),
        isLevelEnabled: log.isLevelEnabled.bind(log),
      };
    },
  };
}

function toText(fields: unknown, message = ""): string {
  const details = Object.entries(fields ?? {}).map(([name, value]) =>
    name === "problem" ? `: ${String(value)}` : ` ${name}=${JSON.stringify(value)}`,
  );
  return `${message}${details.join("")}`;
}
