import { createManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { PluginError } from "../../base/errors.ts";
import type { Execution, PluginCapabilities } from "../../domain/plugin.ts";
import type { Tool } from "../../domain/tool.ts";
import { createCallsUnderWay } from "../calls-under-way.ts";
import type { PluginEntry } from "../plugin-entry.ts";
import type { RunningPlugin, SupervisedPlugin } from "../supervise.ts";
import { supervise } from "../supervise.ts";
import { present } from "./present.ts";

export const crashed = new PluginError("key", "crashed", "it crashed");

/** A call of the action `a` that may take a second. */
export function toExecution(timeoutMs = 1_000): Execution {
  const { signal } = new AbortController();
  return { callId: "1", action: "a", arguments: {}, signal, timeoutMs };
}

/** One process of a plugin, under the test's control. */
export interface FakeProcess {
  readonly crash: () => void;
  /** Answers the oldest call. */
  readonly answer: () => void;
  stopped: boolean;
  /** What it says when it is asked for a sign of life; answers unless set. */
  check: (signal: AbortSignal) => Promise<void>;
  /** What it says it can do by now. */
  refresh: () => Promise<PluginCapabilities | undefined>;
}

export function toCapabilities(name: string, actions: readonly string[] = []): PluginCapabilities {
  const tools = actions.map((action): Tool => ({
    plugin: name,
    action,
    description: "",
    parameters: [],
    userOnly: false,
    readOnly: false,
    alwaysInclude: false,
    contextArguments: [],
  }));
  return { name, description: "", tools, systemPromptAddition: "", supportsCallbacks: false };
}

export interface SuperviseFakeOptions {
  readonly entry?: Partial<PluginEntry>;
  readonly isRemote?: boolean;
  readonly claimName?: (name: string) => string;
}

export interface SuperviseFake {
  readonly plugin: SupervisedPlugin;
  /** Its processes, in the order they came up. */
  readonly opened: readonly FakeProcess[];
  readonly crash: (index: number) => void;
  /** What the next starts fail with. */
  readonly failures: Error[];
  /** The state after each change. */
  readonly states: readonly string[];
  /** Of the next processes. */
  readonly next: { capabilities: PluginCapabilities };
  /** What the next starts wait for. */
  readonly gate: { promise: Promise<void> };
  /** Lets happen what needs no time. */
  readonly settle: () => Promise<void>;
  readonly advance: (byMs: number) => Promise<void>;
}

/** A supervised plugin whose processes and time are under the test's control. */
export function superviseFake({
  entry,
  isRemote,
  claimName = () => "",
}: SuperviseFakeOptions = {}): SuperviseFake {
  const clock = createManualClock();
  const opened: FakeProcess[] = [];
  const failures: Error[] = [];
  const states: string[] = [];
  const next = { capabilities: toCapabilities("reported") };
  const gate = { promise: Promise.resolve() };

  const open = async (): Promise<RunningPlugin> => {
    await gate.promise;
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    const gone = new AbortController();
    const calls = createCallsUnderWay(clock);
    const waiting: (() => void)[] = [];
    const fake: FakeProcess = {
      crash: () => gone.abort(crashed),
      answer: () => present(waiting.shift())(),
      stopped: false,
      check: () => Promise.resolve(),
      refresh: () => Promise.resolve(undefined),
    };
    opened.push(fake);
    return {
      capabilities: next.capabilities,
      isRemote,
      pid: 99 + opened.length,
      gone: gone.signal,
      calls,
      check: (signal) => fake.check(signal),
      refresh: () => fake.refresh(),
      execute: ({ timeoutMs }) =>
        calls.track(
          timeoutMs,
          () =>
            new Promise((resolve, reject) => {
              waiting.push(() => resolve({ content: "done", error: "", structuredContent: "" }));
              if (isRemote !== true) gone.signal.addEventListener("abort", () => reject(crashed));
            }),
        ),
      stop: async () => {
        fake.stopped = true;
      },
    };
  };
  const plugin = supervise({
    entry: { key: "key", command: "x", ...entry },
    isRemote,
    open,
    claimName,
    clock,
    log: createSilentLog(),
    onChange: () => states.push(plugin.status().state),
  });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
  };
  const advance = async (byMs: number): Promise<void> => {
    clock.advance(byMs);
    await settle();
  };
  const crash = (index: number): void => present(opened[index]).crash();
  return { plugin, opened, crash, failures, states, next, gate, settle, advance };
}

/** As a program that hangs: gives up only when its caller does. */
export function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
