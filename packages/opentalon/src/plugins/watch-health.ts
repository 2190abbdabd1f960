import type { Clock } from "../base/clock.ts";
import { createDeadline } from "../base/deadline.ts";
import { formatDuration } from "../base/duration.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import type { CallsUnderWay } from "./calls-under-way.ts";

export interface WatchHealthOptions {
  readonly plugin: string;
  /** Rejects when there is no sign of life before the signal aborts, or when the plugin says that it cannot work. */
  readonly check: (signal: AbortSignal) => Promise<void>;
  readonly calls: Pick<CallsUnderWay, "busyUntilMs" | "lastAnswerAtMs">;
  readonly intervalMs: number;
  readonly clock: Clock;
  /** It has to be started again. Called at most once. */
  readonly onSick: (error: PluginError) => void;
}

/** Longest time a check may take, and the pause before an unanswered one is repeated. */
const longestCheckMs = 5_000;
/** Unanswered checks in a row that prove it. */
const proof = 2;

/**
 * Asks a running plugin at intervals whether it still answers, until it was called off or the plugin proved sick.
 *
 * Whether a plugin can do two things at once is not known: a program of one thread that works on a long call answers
 * nothing else. So an answer to any call counts as life, and while the calls that were under way when it fell silent are
 * within their deadlines, silence is no proof. Calls that come later are no excuse, or a busy gateway would keep a
 * plugin that hangs for ever.
 */
export function watchHealth(options: WatchHealthOptions): () => void {
  const { plugin, check, calls, intervalMs, clock, onSick } = options;
  const timeoutMs = Math.min(longestCheckMs, intervalMs);
  const called = new AbortController();
  let missed = 0;
  let excusedUntilMs: number | undefined;
  let cancel = (): void => {};

  const schedule = (delayMs: number): void => {
    if (!called.signal.aborted) cancel = clock.after(delayMs, () => void run());
  };

  const run = async (): Promise<void> => {
    const askedAtMs = clock.now();
    const problem = await ask();
    if (called.signal.aborted) return;
    const hasAnswered = problem.kind === "silent" && calls.lastAnswerAtMs() >= askedAtMs;
    if (problem.kind === "none" || hasAnswered) {
      missed = 0;
      excusedUntilMs = undefined;
      return schedule(intervalMs);
    }
    excusedUntilMs ??= calls.busyUntilMs();
    if (problem.kind === "silent" && clock.now() < excusedUntilMs) return schedule(timeoutMs);
    missed += 1;
    if (missed < proof) return schedule(timeoutMs);
    const text = `the plugin "${plugin}" failed ${proof} health checks in a row: ${problem.text}`;
    onSick(new PluginError(plugin, "unavailable", text));
  };

  const ask = async (): Promise<Problem> => {
    const text = `it did not answer within ${formatDuration(timeoutMs)}, as a program that hangs`;
    const silence = new PluginError(plugin, "timed-out", text);
    using deadline = createDeadline({
      clock,
      timeoutMs,
      signal: called.signal,
      toError: () => silence,
    });
    try {
      await check(deadline.signal);
      return { kind: "none" };
    } catch (error) {
      return { kind: error === silence ? "silent" : "failed", text: toMessage(error) };
    }
  };

  schedule(intervalMs);
  return () => {
    called.abort();
    cancel();
  };
}

type Problem =
  | { readonly kind: "none" }
  | { readonly kind: "silent" | "failed"; readonly text: string };
