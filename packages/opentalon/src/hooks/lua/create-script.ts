import { HookError, toMessage } from "../../base/errors.ts";
import { createDeadline, untilAborted } from "../../base/deadline.ts";
import type { LuaScriptRun, LuaScriptsOptions, ScriptStatus } from "./script-options.ts";
import type { LuaStage } from "./lua-machine.ts";
import type { LuaValue } from "./lua-value.ts";
import type { ScriptFile } from "./script-file.ts";
import { createScriptWorkers, WaitedTooLongError } from "./script-workers.ts";
import type { LuaWorker, RequestPorts, WorkerOutcome } from "./start-lua-worker.ts";
import type { LuaContext } from "./worker-messages.ts";

/** One script: its newest usable version, and the workers that run it. */
export interface Script extends AsyncDisposable {
  readonly run: (stage: LuaStage, context: LuaContext, run: LuaScriptRun) => Promise<LuaValue>;
  readonly preload: () => Promise<void>;
  readonly status: () => ScriptStatus;
}

export interface ScriptOptions extends LuaScriptsOptions {
  readonly name: string;
  readonly file: ScriptFile;
  /** Starts a worker with no script in it, or gives one that was started before. */
  readonly startWorker: () => LuaWorker;
}

interface Version {
  readonly number: number;
  readonly source: string;
  readonly functions: readonly string[];
}

const maxWorkers = 6;
const idleMs = 60_000;
/** What a file does when it is loaded is to define functions. */
const loadTimeoutMs = 3_000;
/** How long messages wait for a changed file to be loaded before the version in use serves once more. */
const patienceMs = 1_000;
/** How much longer than its own time a call waits for a thread. */
const extraPatienceMs = 10_000;
const maxDeaths = 3;
const maxProblemLength = 1_000;
const maxKeyLength = 256;
const maxValueLength = 65_536;
const maxPromptLength = 65_536;
const levels = new Set(["debug", "info", "warn", "error"]);

export function createScript(options: ScriptOptions): Script {
  const { name, file, startWorker, limits, store, clock, watch } = options;
  const log = options.log.child({ script: name });
  const workers = createScriptWorkers({
    start: startWorker,
    maxWorkers,
    idleMs,
    patienceMs: limits.timeoutMs + extraPatienceMs,
    clock,
  });
  /** Which version a worker has loaded. */
  const loaded = new WeakMap<LuaWorker, number>();
  let newest = 0;
  let current: Version | undefined;
  let problem: HookError | undefined;
  /** A text of the file that was not tried yet. */
  let changed: string | undefined;
  /** How often a thread died over the newest text. */
  let deaths = 0;
  let reloading: Promise<void> | undefined;

  const fail = (outcome: Exclude<WorkerOutcome, { kind: "done" }>, limitMs: number): HookError => {
    switch (outcome.kind) {
      case "failed": {
        // The error names script and line itself.
        const words = outcome.problem
          .replace(/^[\w.-]+\.lua:\d+: /, "")
          .slice(0, maxProblemLength)
          .toWellFormed();
        const { line, isMemory } = outcome;
        return isMemory
          ? new HookError(
              "HOOK_OUT_OF_MEMORY",
              `${words} (lua.limits.memory_mb is ${limits.memoryMb})`,
              { script: name, line },
            )
          : new HookError("HOOK_FAILED", words, { script: name, line });
      }
      case "timed-out":
        return new HookError("HOOK_TIMED_OUT", `did not end within ${limitMs} ms`, {
          script: name,
          line: outcome.line,
        });
      case "broken":
        return new HookError("HOOK_FAILED", `the script's thread ended: ${outcome.problem}`, {
          script: name,
        });
    }
  };

  const toPorts = ({ signal, askModel, log: runLog }: LuaScriptRun): RequestPorts => ({
    timeoutMs: limits.timeoutMs,
    signal,
    onLog: (level, text) => {
      const known = levels.has(level) ? (level as "info") : "info";
      runLog[known]({ script: name }, text);
    },
    onHostCall: async (call, values, ended) => {
      // The sandbox has made texts of them.
      const [first, second] = values.map((value) =>
        typeof value === "string" ? value : undefined,
      );
      const key = first ?? "";
      if (call === "llm") {
        if (key.length > maxPromptLength) throw new RangeError("the prompt is too long");
        using deadline = createDeadline({
          clock,
          timeoutMs: limits.modelTimeoutMs,
          signal: ended,
          toError: () => new Error(`no answer within ${limits.modelTimeoutMs} ms`),
        });
        return await untilAborted(deadline.signal, askModel(key, second ?? "", deadline.signal));
      }
      if (key === "" || key.length > maxKeyLength)
        throw new RangeError(`a key has 1 to ${maxKeyLength} characters`);
      if (call === "kv_get") return (await store.get(name, key)) ?? null;
      if ((second?.length ?? 0) > maxValueLength)
        throw new RangeError(`a value has at most ${maxValueLength} characters`);
      await store.set(name, key, second);
      return null;
    },
  });

  const load = (worker: LuaWorker, source: string): Promise<WorkerOutcome> =>
    worker.request(
      { kind: "load", source, name: `${name}.lua` },
      {
        timeoutMs: Math.min(loadTimeoutMs, limits.timeoutMs),
        onLog: () => undefined,
        onHostCall: () =>
          Promise.reject(new Error("not available while the script is being loaded")),
      },
    );

  const withWorker = async <Result>(
    task: (worker: LuaWorker) => Promise<readonly [result: Result, isUsable: boolean]>,
    signal?: AbortSignal,
  ): Promise<Result> => {
    const worker = await workers.take(signal).catch((error: unknown) => {
      signal?.throwIfAborted();
      if (error instanceof WaitedTooLongError)
        throw new HookError("HOOK_TIMED_OUT", `did not begin: ${error.message}`, { script: name });
      throw new HookError("HOOK_FAILED", `it has no thread to run in: ${toMessage(error)}`, {
        script: name,
      });
    });
    let isUsable = false;
    try {
      const [result, isStillUsable] = await task(worker);
      isUsable = isStillUsable;
      return result;
    } finally {
      workers.giveBack(worker, isUsable);
    }
  };

  const isAlive = ({ kind }: WorkerOutcome): boolean => kind === "done" || kind === "failed";

  /** Tries a new text; what is in use stays when it cannot be loaded. */
  const adopt = async (source: string): Promise<void> => {
    newest += 1;
    const number = newest;
    await withWorker(async (worker) => {
      const outcome = await load(worker, source);
      // A thread that died says nothing about the text: the next message tries it again.
      deaths += outcome.kind === "broken" ? 1 : 0;
      if (outcome.kind !== "broken" || deaths >= maxDeaths) changed = undefined;
      if (outcome.kind === "done") {
        const functions = Array.isArray(outcome.value) ? outcome.value.map(String).sort() : [];
        if (current !== undefined) log.info("a changed script is in use");
        current = { number, source, functions };
        problem = undefined;
        loaded.set(worker, number);
      } else {
        const { message, line } = fail(outcome, loadTimeoutMs);
        problem = new HookError("HOOK_UNUSABLE", message.replace(/^lua:\S+?(, line \d+)?: /, ""), {
          script: name,
          line,
        });
        const instead = current === undefined ? "" : "; the last version that worked stays in use";
        log.error({ line }, `${problem.message}${instead}`);
        loaded.delete(worker);
      }
      return [undefined, isAlive(outcome)] as const;
    });
  };

  const refresh = async (): Promise<void> => {
    while (reloading !== undefined) {
      const waited = reloading;
      await settle(waited);
      // Out of patience: the version in use serves once more.
      if (reloading === waited) return;
    }
    if (current !== undefined && !watch) return;
    try {
      const read = file.readChange();
      if (read !== undefined) deaths = 0;
      changed = read ?? changed;
    } catch (error) {
      if (current !== undefined || problem !== undefined) return;
      if (error instanceof HookError) throw error;
      throw new HookError("HOOK_UNUSABLE", `the file cannot be read: ${toMessage(error)}`, {
        script: name,
      });
    }
    if (changed === undefined) return;
    reloading = adopt(changed).finally(() => (reloading = undefined));
    await settle(reloading);
  };

  /** A file that hangs while it is loaded must not hold up everybody, as long as there is a version that works. */
  const settle = async (loading: Promise<void>): Promise<void> => {
    if (current === undefined) return loading;
    const patience = new AbortController();
    const ended = loading.catch((error: unknown) => log.error(toMessage(error)));
    await Promise.race([ended, clock.sleep(patienceMs, patience.signal)]);
    patience.abort();
  };

  const run = async (
    stage: LuaStage,
    context: LuaContext,
    given: LuaScriptRun,
  ): Promise<LuaValue> => {
    await refresh();
    const version = current;
    if (version === undefined)
      throw problem ?? new HookError("HOOK_UNUSABLE", "is not there", { script: name });
    const outcome = await withWorker(async (worker) => {
      if (loaded.get(worker) !== version.number) {
        const again = await load(worker, version.source);
        if (again.kind !== "done") return [again, false] as const;
        loaded.set(worker, version.number);
      }
      const result = await worker.request({ kind: "run", stage, context }, toPorts(given));
      return [result, isAlive(result)] as const;
    }, given.signal);
    if (outcome.kind === "done") return outcome.value;
    throw fail(outcome, limits.timeoutMs);
  };

  return {
    run,
    preload: async () => {
      try {
        await refresh();
      } catch (error) {
        log.error(toMessage(error));
      }
    },
    status: () => ({
      name,
      functions: current?.functions ?? [],
      problem: problem?.message ?? "",
      workers: workers.count(),
    }),
    [Symbol.asyncDispose]: () => workers[Symbol.asyncDispose](),
  };
}
