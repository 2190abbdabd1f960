import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { Transform } from "node:stream";
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/client";
import { ReadBuffer, serializeMessage } from "@modelcontextprotocol/client";
import type { CommandPlace } from "./server-entry.ts";

export interface CommandTransportOptions {
  readonly place: CommandPlace;
  /** Folder to run in when the configuration names none; made when it is not there. */
  readonly folder: string;
  /** The bridge's own environment, of which only a few names are passed on. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly maxBytes: number;
  /** A line the server wrote on standard error. */
  readonly onLine: (line: string) => void;
}

const passedOn = /^(?:PATH|HOME|LANG|LC_[A-Z]+|TZ|TMPDIR|USER|LOGNAME|SHELL)$/;
const endGraceMs = 1_000;
const maxLineLength = 2_000;

/**
 * A server as a child process, spoken to over its standard streams. It has a process group of its own, which ends with
 * the connection, and also when the bridge is killed: the library's own transport ends only the first process.
 */
export function createCommandTransport(options: CommandTransportOptions): Transport {
  const { place, maxBytes, onLine } = options;
  const received = new ReadBuffer({ maxBufferSize: maxBytes });
  let child: ChildProcess | undefined;
  let closing: Promise<void> | undefined;

  const read = (): void => {
    for (;;) {
      let message: JSONRPCMessage | null;
      try {
        message = received.readMessage();
      } catch (error) {
        transport.onerror?.(toError(error));
        continue;
      }
      if (message === null) return;
      transport.onmessage?.(message);
    }
  };

  const start = async (): Promise<void> => {
    const cwd = place.cwd === "" ? options.folder : place.cwd;
    if (place.cwd === "") mkdirSync(cwd, { recursive: true, mode: 0o700 });
    const started = spawn(place.command, place.args, {
      cwd,
      env: toEnvironment(options.environment, place.env),
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    child = started;
    const watcher = started.pid === undefined ? undefined : watchOver(started.pid);
    const release = (): void => {
      killGroup(started, "SIGKILL");
      watcher?.kill("SIGKILL");
      process.off("exit", release);
    };
    process.once("exit", release);
    started.once("exit", release);
    started.once("close", () => transport.onclose?.());
    for (const stream of [started.stdin, started.stdout, started.stderr])
      stream.on("error", (error: Error) => transport.onerror?.(error));
    started.stdout.on("data", (chunk: Buffer) => {
      try {
        received.append(chunk);
        read();
      } catch (error) {
        transport.onerror?.(toError(error));
        void transport.close();
      }
    });
    createInterface({ input: started.stderr.pipe(createLineCutter()) }).on("line", onLine);
    await new Promise<void>((resolve, reject) => {
      started.once("spawn", () => resolve());
      started.once("error", (error) => {
        release();
        reject(new Error(explainStart(place.command, error)));
      });
    });
  };

  const close = async (): Promise<void> => {
    if (child === undefined) return;
    const ending = child;
    const ended = new Promise<void>((resolve) => {
      if (ending.exitCode !== null || ending.signalCode !== null) resolve();
      else ending.once("exit", () => resolve());
    });
    ending.stdin?.end();
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await Promise.race([ended, sleep(endGraceMs)]);
      // After its end the number may belong to somebody else.
      if (ending.exitCode === null && ending.signalCode === null) killGroup(ending, signal);
    }
    await ended;
    received.clear();
  };

  const transport: Transport & { readonly pid: number | null; readonly stderr: null } = {
    // By these two the library knows a transport over standard streams, where silence is a sign of age, not of an outage.
    get pid() {
      return child?.pid ?? null;
    },
    stderr: null,
    start,
    send: (message) =>
      new Promise((resolve, reject) => {
        if (child?.stdin?.writable !== true) return reject(new Error("the server has ended"));
        child.stdin.write(serializeMessage(message), (error) =>
          error === null || error === undefined ? resolve() : reject(error),
        );
      }),
    close: () => (closing ??= close()),
  };
  return transport;
}

/**
 * A shell of its own that outlives the bridge by a moment: it reads a pipe only the bridge holds, and kills the server's
 * group when the pipe ends, which it does however the bridge ended.
 */
function watchOver(group: number): ChildProcess {
  const script = `trap '' HUP INT TERM; read -r _; kill -9 "-$1" 2>/dev/null`;
  const watcher = spawn("/bin/sh", ["-c", script, "sh", String(group)], {
    cwd: "/",
    env: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watcher.on("error", () => undefined);
  watcher.stdin.on("error", () => undefined);
  return watcher;
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  const { pid } = child;
  // The first process is only collected after its exit was told; until then the number is its own.
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // Nothing of the group is left.
  }
}

function toEnvironment(
  own: Readonly<Record<string, string | undefined>>,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const inherited = Object.entries(own).flatMap(([name, value]) =>
    value !== undefined && passedOn.test(name) ? [[name, value] as const] : [],
  );
  return { ...Object.fromEntries(inherited), ...given };
}

/** Breaks lines that never end, so that one is never kept whole. */
function createLineCutter(): NodeJS.ReadWriteStream {
  let length = 0;
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const pieces: Buffer[] = [];
      let from = 0;
      for (let at = 0; at < chunk.length; at += 1) {
        length = chunk[at] === 10 ? 0 : length + 1;
        if (length < maxLineLength) continue;
        pieces.push(chunk.subarray(from, at + 1), Buffer.from("\n"));
        from = at + 1;
        length = 0;
      }
      pieces.push(chunk.subarray(from));
      done(null, Buffer.concat(pieces));
    },
  });
}

function explainStart(command: string, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ENOENT":
      return `there is no program ${command}, or its folder does not exist`;
    case "EACCES":
      return `${command} is not executable; set its permission with chmod +x`;
    default:
      return `${command} cannot be started: ${error.message}`;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
