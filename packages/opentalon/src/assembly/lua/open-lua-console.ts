import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { LuaLimits } from "../../hooks/lua/create-lua-scripts.ts";
import { compileLua } from "../../hooks/lua/lua-module.ts";
import { type LuaWorker, startLuaWorker } from "../../hooks/lua/start-lua-worker.ts";
import { consoleDriver } from "./console-driver.ts";

export interface LuaConsoleOptions {
  readonly limits: LuaLimits;
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Takes what the script prints and logs. */
  readonly onPrint: (line: string) => void;
}

export type ConsoleOutcome =
  /** `text` shows the values; empty when there are none. */
  | { readonly kind: "done"; readonly text: string; readonly seconds: number }
  | { readonly kind: "failed"; readonly text: string }
  /** More lines are needed. */
  | { readonly kind: "incomplete" };

/** A Lua session for a person, in a thread with the sandbox and the limits of hooks. One call at a time. */
export interface LuaConsole extends AsyncDisposable {
  /** Starts afresh, with a script's functions when one is given. */
  readonly load: (script?: {
    readonly name: string;
    readonly source: string;
  }) => Promise<ConsoleOutcome>;
  /** Runs a line. After a time limit the session has to be loaded again, which this does. */
  readonly evaluate: (source: string) => Promise<ConsoleOutcome>;
  /** What the next `ctx.llm` answers; no model is asked here. */
  readonly addAnswer: (text: string) => void;
}

const sample = {
  message: "Hello, can you help me with my order 4711?",
  session_id: "console:local",
  actor: "console:local",
  channel: "console",
  channel_kind: "console",
  response_format: "slack",
  metadata: { locale: "en" },
};
const neverMs = 2 ** 31 - 1;
/** Only a machine that stands still takes so long to begin. */
const startTimeoutMs = 30_000;

interface Session {
  readonly worker: LuaWorker;
  /** Hands the next request to the driver, which waits for it. */
  readonly give: (source: string) => void;
  readonly end: (reason: Error) => void;
}

export async function openLuaConsole(options: LuaConsoleOptions): Promise<LuaConsole> {
  const { limits, environment, clock, onPrint } = options;
  const compiled = await compileLua();
  const entries = new Map<string, string>();
  const answers: string[] = [];
  let modelCalls = 0;
  let current: { readonly name: string; readonly source: string } | undefined;
  let session: Session | undefined;
  let waiting = Promise.withResolvers<ConsoleOutcome>();
  let cancelDeadline = (): void => undefined;

  const startDeadline = (): void => {
    const problem = `did not end within ${limits.timeoutMs} ms; the session starts again`;
    cancelDeadline = clock.after(limits.timeoutMs, () => session?.end(new Error(problem)));
  };

  const answer = (kind: string, first: string, second: string | undefined): string | null => {
    switch (kind) {
      case "print":
        onPrint(first);
        return null;
      case "log":
        onPrint(`[${first}] ${second ?? ""}`);
        return null;
      case "kv_get":
        return entries.get(first) ?? null;
      case "kv_set":
        if (second === undefined) entries.delete(first);
        else entries.set(first, second);
        return null;
      case "llm": {
        modelCalls += 1;
        if (modelCalls > limits.maxModelCalls)
          throw new Error(`no more than ${limits.maxModelCalls} calls are allowed`);
        const text = answers.shift();
        if (text === undefined) throw new Error("no model is asked here: say `:llm TEXT` first");
        return text;
      }
      default:
        throw new Error("unknown call");
    }
  };

  const fail = (ended: Session, text: string): void => {
    // One that was ended for a new one has nothing to say.
    if (session !== ended) return;
    session = undefined;
    waiting.resolve({ kind: "failed", text });
  };

  const start = async (): Promise<void> => {
    const before = session;
    session = undefined;
    before?.end(new Error("started again"));
    const worker = startLuaWorker({
      compiled,
      memoryBytes: limits.memoryMb * 1_048_576,
      environment,
      maxModelCalls: Number.MAX_SAFE_INTEGER,
      clock,
    });
    await worker.ready;
    const ended = new AbortController();
    let next = Promise.withResolvers<string>();
    const started: Session = {
      worker,
      give: (source) => next.resolve(source),
      end: (reason) => ended.abort(reason),
    };
    session = started;
    const ports = {
      timeoutMs: neverMs,
      signal: ended.signal,
      onLog: (_level: string, text: string) => onPrint(text),
      // All that the driver asks comes as one kind of call; see `consoleDriver`.
      onHostCall: async (_name: string, values: readonly unknown[]) => {
        const message = JSON.parse(String(values[0])) as readonly string[];
        const [kind = "", first = "", second] = message;
        if (kind !== "next") return answer(kind, first, second);
        next = Promise.withResolvers<string>();
        if (first !== "ready") waiting.resolve(toOutcome(first, second ?? ""));
        else waiting.resolve({ kind: "done", text: "", seconds: 0 });
        return await next.promise;
      },
    };
    const loaded = await worker.request(
      { kind: "load", source: consoleDriver, name: "console.lua" },
      { ...ports, timeoutMs: startTimeoutMs },
    );
    if (loaded.kind !== "done") throw new Error("the console could not start");
    const context = { ...sample, script: { ...current } };
    startDeadline();
    worker.request({ kind: "run", stage: "before", context }, ports).then(
      (outcome) => {
        // The driver ends only when it fails.
        const text = outcome.kind === "failed" ? outcome.problem : "the session ended";
        fail(started, text);
      },
      (error: unknown) => fail(started, toMessage(error)),
    );
  };

  /** Gives the next thing the session tells, `begin` having made it do something. */
  const outcomeOf = async (begin: () => Promise<void> | void): Promise<ConsoleOutcome> => {
    waiting = Promise.withResolvers<ConsoleOutcome>();
    modelCalls = 0;
    try {
      await begin();
      return await waiting.promise;
    } finally {
      cancelDeadline();
    }
  };

  return {
    load: async (script) => {
      current = script;
      return await outcomeOf(start);
    },
    evaluate: async (source) => {
      if (session === undefined) {
        const outcome = await outcomeOf(start);
        if (outcome.kind === "failed") return outcome;
      }
      return await outcomeOf(() => {
        startDeadline();
        session?.give(source);
      });
    },
    addAnswer: (text) => void answers.push(text),
    [Symbol.asyncDispose]: async () => {
      const open = session;
      session = undefined;
      open?.end(new Error("closed"));
      await open?.worker.terminate();
    },
  };
}

function toOutcome(kind: string, detail: string): ConsoleOutcome {
  if (kind === "incomplete") return { kind };
  // What fails in the driver is where a call of the person's line ends.
  if (kind === "failed") return { kind, text: detail.replace(/^console\.lua:\d+: /, "") };
  const separator = detail.indexOf(" ");
  return {
    kind: "done",
    seconds: Number(detail.slice(0, separator)),
    text: detail.slice(separator + 1),
  };
}
