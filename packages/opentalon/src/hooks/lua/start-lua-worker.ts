import { MessageChannel, Worker } from "node:worker_threads";
import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { LuaOutcome } from "./lua-machine.ts";
import type { CompiledLua } from "./lua-module.ts";
import type { HostAnswer, LuaValue } from "./lua-value.ts";
import { flagSlot, lineSlot, type WorkerReport, type WorkerRequest } from "./worker-messages.ts";

export interface LuaWorkerOptions {
  readonly compiled: CompiledLua;
  readonly memoryBytes: number;
  readonly environment: Readonly<Record<string, string>>;
  readonly maxModelCalls: number;
  readonly clock: Clock;
}

export interface RequestPorts {
  /** Time of the script's own; what it waits for the program does not count. */
  readonly timeoutMs: number;
  /** Aborting ends the worker. */
  readonly signal?: AbortSignal | undefined;
  readonly onLog: (level: string, text: string) => void;
  /** Answers `kv_get`, `kv_set` and `llm`; what it rejects with becomes an error of the script. */
  readonly onHostCall: (
    name: string,
    values: readonly LuaValue[],
    signal: AbortSignal,
  ) => Promise<LuaValue>;
}

export type WorkerOutcome =
  | LuaOutcome<LuaValue>
  | { readonly kind: "timed-out"; readonly line: number }
  | { readonly kind: "broken"; readonly problem: string };

/** A thread with a Lua VM. After `timed-out` and `broken` it is gone. */
export interface LuaWorker {
  /** Resolves when it can take requests; rejects when it could not start. */
  readonly ready: Promise<void>;
  /** One at a time. Rejects only when `signal` aborts, with its reason. */
  readonly request: (request: WorkerRequest, ports: RequestPorts) => Promise<WorkerOutcome>;
  /** Bytes the VM held after the newest request. */
  readonly memoryBytes: () => number;
  readonly terminate: () => Promise<void>;
}

interface Running {
  readonly ports: RequestPorts;
  readonly settle: (outcome: WorkerOutcome) => void;
  readonly pause: () => void;
  readonly resume: () => void;
  /** What the program does for the script right now; made only when it asks, as most calls do not. */
  calling: AbortController | undefined;
}

const resourceLimits = {
  maxOldGenerationSizeMb: 64,
  maxYoungGenerationSizeMb: 16,
  stackSizeMb: 4,
};

const graceMs = 5;

export function startLuaWorker({ clock, ...options }: LuaWorkerOptions): LuaWorker {
  const flags = new Int32Array(new SharedArrayBuffer(8));
  const { port1: answers, port2: replies } = new MessageChannel();
  const worker = new Worker(new URL("./lua-worker.ts", import.meta.url), {
    workerData: { ...options, flags, replies },
    transferList: [replies],
    env: {},
    execArgv: [],
    resourceLimits,
  });
  worker.unref();
  const started = Promise.withResolvers<void>();
  started.promise.catch(() => undefined);
  let running: Running | undefined;
  let memoryBytes = 0;
  let ended: string | undefined;

  const answer = async (name: string, values: readonly LuaValue[]): Promise<void> => {
    const caller = running;
    if (caller === undefined) return;
    caller.pause();
    caller.calling = new AbortController();
    let reply: HostAnswer;
    try {
      reply = { value: await caller.ports.onHostCall(name, values, caller.calling.signal) };
    } catch (error) {
      reply = { problem: `ctx.${name}: ${toMessage(error)}` };
    }
    if (running !== caller) return;
    caller.resume();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
    answers.postMessage(reply);
    Atomics.store(flags, flagSlot, 1);
    Atomics.notify(flags, flagSlot);
  };

  const end = (problem: string): void => {
    ended ??= problem;
    started.reject(new Error(problem));
    running?.settle({ kind: "broken", problem });
  };

  worker.on("message", (report: WorkerReport) => {
    switch (report.kind) {
      case "ready":
        return started.resolve();
      case "log":
        return running?.ports.onLog(report.level, report.text);
      case "host":
        return void answer(report.name, report.values);
      case "outcome":
        memoryBytes = report.memoryBytes;
        return running?.settle(report.outcome);
    }
  });
  worker.on("error", (error) => end(toMessage(error)));
  worker.on("exit", () => {
    answers.close();
    end("its thread ended");
  });

  const terminate = async (): Promise<void> => void (await worker.terminate());

  return {
    ready: started.promise,
    memoryBytes: () => memoryBytes,
    terminate,
    request: async (request, ports) => {
      const { signal, timeoutMs } = ports;
      signal?.throwIfAborted();
      if (ended !== undefined) return { kind: "broken", problem: ended };
      const done = Promise.withResolvers<WorkerOutcome>();
      let leftMs = timeoutMs;
      let sinceMs = 0;
      let cancel = (): void => undefined;
      const resume = (): void => {
        sinceMs = clock.now();
        cancel = clock.after(leftMs, () => {
          // An outcome may have arrived while this thread was busy: it is read first.
          cancel = clock.after(graceMs, () =>
            done.resolve({ kind: "timed-out", line: Atomics.load(flags, lineSlot) }),
          );
        });
      };
      const pause = (): void => {
        cancel();
        leftMs = Math.max(1, leftMs - (clock.now() - sinceMs));
      };
      const onAbort = (): void => done.reject(signal?.reason);
      worker.ref();
      signal?.addEventListener("abort", onAbort, { once: true });
      const run: Running = { ports, settle: done.resolve, pause, resume, calling: undefined };
      running = run;
      resume();
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
      worker.postMessage(request);
      let isAlive = false;
      try {
        const outcome = await done.promise;
        isAlive = outcome.kind === "done" || outcome.kind === "failed";
        return outcome;
      } finally {
        cancel();
        running = undefined;
        run.calling?.abort();
        signal?.removeEventListener("abort", onAbort);
        worker.unref();
        if (!isAlive) void terminate();
      }
    },
  };
}
