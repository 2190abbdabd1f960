import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** One line of the core's log, as JSON. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly trace?: string;
  readonly [field: string]: unknown;
}

/** The built `opentalon`, running. */
export interface CoreProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Everything it printed on stdout so far. */
  readonly output: () => string;
  readonly log: readonly LogLine[];
  /** What stood on stderr and was no log line. */
  readonly otherErrors: () => string;
  /** Resolves with the first log line `wanted` accepts, also one already printed; rejects when the process ends first. */
  readonly logged: (wanted: (line: LogLine) => boolean) => Promise<LogLine>;
  readonly ready: () => Promise<LogLine>;
  /** `host:port` of its HTTP door, once it is ready. */
  readonly door: () => Promise<string>;
  readonly write: (text: string) => void;
  readonly end: () => void;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** Exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
}

export interface CoreOptions {
  readonly configPath: string;
  readonly arguments?: readonly string[];
  /** Replaces the environment's entries; `undefined` removes one. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Log lines kept in memory. */
  readonly maxLog?: number;
}

const root = join(import.meta.dirname, "..", "..");
const launcher = join(root, "opentalon");

/** Starts the program as its user does: the launcher at the root of the checkout. */
export function startCore(options: CoreOptions): CoreProcess {
  const { configPath, environment = {}, maxLog = 100_000 } = options;
  const child = spawn(launcher, ["--config", configPath, ...(options.arguments ?? [])], {
    cwd: root,
    env: { ...process.env, LOG_LEVEL: "info", NO_COLOR: "1", ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const log: LogLine[] = [];
  const waiters = new Set<{
    wanted: (line: LogLine) => boolean;
    resolve: (line: LogLine) => void;
  }>();
  let output = "";
  let otherErrors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  createInterface({ input: child.stderr }).on("line", (text) => {
    const line = parseLogLine(text);
    if (line === undefined) {
      otherErrors += `${text}\n`;
      return;
    }
    if (log.length < maxLog) log.push(line);
    for (const waiter of waiters) {
      if (!waiter.wanted(line)) continue;
      waiters.delete(waiter);
      waiter.resolve(line);
    }
  });
  child.stdin.on("error", () => undefined);
  const exited = once(child, "close").then(([code, signal]) => (code ?? signal) as number | string);

  const logged = (wanted: (line: LogLine) => boolean): Promise<LogLine> => {
    const present = log.find(wanted);
    if (present !== undefined) return Promise.resolve(present);
    return Promise.race([
      new Promise<LogLine>((resolve) => waiters.add({ wanted, resolve })),
      exited.then((code) => {
        throw new Error(
          `opentalon ended (${code}) before it logged what was awaited\n${otherErrors}`,
        );
      }),
    ]);
  };

  const ready = (): Promise<LogLine> => logged(({ msg }) => msg === "ready");

  return {
    child,
    pid: child.pid ?? -1,
    output: () => output,
    log,
    otherErrors: () => otherErrors,
    logged,
    ready,
    door: async () => new URL(String((await ready())["door"])).host,
    write: (text) => void child.stdin.write(text),
    end: () => void child.stdin.end(),
    signal: (signal) => void child.kill(signal),
    exited,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await exited;
    },
  };
}

function parseLogLine(text: string): LogLine | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(text) as Partial<LogLine>;
    return typeof value.msg === "string" && typeof value.level === "number"
      ? (value as LogLine)
      : undefined;
  } catch {
    return undefined;
  }
}
