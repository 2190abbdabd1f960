import { rmSync } from "node:fs";

/** Where a channel that a host started puts its socket. */
export const channelFolderVariable = "OPENTALON_CHANNEL_SOCK_DIR";

/**
 * Keeps standard output free for the handshake: what the author prints with `console.log` and the like goes to
 * standard error, which the host logs. A channel that a host started says nothing there: its terminal is its own.
 */
export function redirectConsole(): void {
  if ((process.env[channelFolderVariable] ?? "") !== "") return;
  console.log = console.error;
  console.info = console.error;
  console.debug = console.error;
}

/** Sends everything written to standard output to standard error; returns the way to the real one. */
export function takeStandardOutput(): (text: string) => void {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  // A host that reads no more, or is gone, must not end the plugin with a broken pipe.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});
  return (text) => void write(text);
}

export interface EndOptions {
  /** A file or folder, removed when the process ends. */
  readonly leftovers: string;
  /** Ends calls under way; the process ends when it resolves, or after `graceMs`. */
  readonly close: () => Promise<void>;
  readonly graceMs: number;
}

/** Ends the process in good order: on SIGINT, on SIGTERM, and when the process that started it is gone. */
export function endWithParent({ leftovers, close, graceMs }: EndOptions): void {
  process.on("exit", () => rmSync(leftovers, { recursive: true, force: true }));
  let ending = false;
  const end = (): void => {
    if (ending) process.exit(0);
    ending = true;
    setTimeout(() => process.exit(0), graceMs).unref();
    void close().finally(() => process.exit(0));
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) end();
  }, 1_000).unref();
}
