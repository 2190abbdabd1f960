import { createBackoff } from "../../base/backoff.ts";
import { toMessage } from "../../base/errors.ts";
import type { PollingRules } from "./definition.ts";
import { findField } from "./field-path.ts";
import { parseAnswer } from "./http-call.ts";
import type { ChannelMemory } from "./written-value.ts";
import type { TakeOutcome } from "./take-event.ts";
import type { IntakeOptions, RunningIntake } from "./websocket-intake.ts";

const pollTimeoutMs = 60_000;
const maxAnswerBytes = 32 * 1024 * 1024;
const maxEventsOfPoll = 1_000;
const cursorKey = "poll_offset";
const leastIntervalMs = 10;

/** Asks the platform again and again; what it brought is never asked for twice, also after a restart. */
export async function startPollingIntake(
  { request, intervalMs, resultPath, cursorField }: PollingRules,
  memory: ChannelMemory,
  { values, intake, clock, log }: IntakeOptions,
): Promise<RunningIntake> {
  const stopping = new AbortController();
  const backoff = createBackoff({ initialMs: 1_000, maxMs: 60_000, jitter: 0.2 });
  const known = await memory.get(cursorKey);
  if (known !== undefined) values.setSelf(cursorKey, known);
  let cursor = Number(known ?? 0);

  const readEvents = (answer: unknown): readonly unknown[] => {
    if (resultPath === "") return answer === undefined ? [] : [answer];
    const list = findField(answer, resultPath);
    return Array.isArray(list) ? list.slice(0, maxEventsOfPoll) : [];
  };

  /** Moves on over the events that are done, up to the first that has to come again. */
  const advance = async (
    events: readonly unknown[],
    outcomes: readonly TakeOutcome[],
  ): Promise<TakeOutcome | undefined> => {
    const refusedAt = outcomes.findIndex(({ kind }) => kind === "refused");
    const finished = refusedAt === -1 ? events : events.slice(0, refusedAt);
    const reached = finished
      .map((event) => Number(findField(event, cursorField)))
      .filter((value) => Number.isSafeInteger(value))
      .reduce((highest, value) => Math.max(highest, value + 1), cursor);
    if (cursorField !== "" && reached > cursor) {
      cursor = reached;
      values.setSelf(cursorKey, String(cursor));
      await memory.set(cursorKey, String(cursor));
    }
    return outcomes[refusedAt];
  };

  const poll = async (): Promise<number> => {
    const limits = { maxBytes: maxAnswerBytes, timeoutMs: pollTimeoutMs, signal: stopping.signal };
    const answer = parseAnswer(await values.call(request, {}, limits));
    const events = readEvents(answer);
    const outcomes = await Promise.all(events.map((event) => intake.take(event)));
    const refused = await advance(events, outcomes);
    if (refused?.kind !== "refused") return Math.max(leastIntervalMs, intervalMs);
    log.warn({ problem: refused.reason }, "an event could not be taken and is asked for again");
    return Math.max(intervalMs, refused.retryAfterMs);
  };

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      let waitMs: number;
      try {
        waitMs = await poll();
        backoff.reset();
      } catch (error) {
        if (stopping.signal.aborted) return;
        const { retryAfterMs } = error as { retryAfterMs?: number | undefined };
        waitMs = Math.max(backoff.nextMs(), retryAfterMs ?? 0);
        log.warn({ problem: toMessage(error), waitMs }, "asking the platform for messages failed");
      }
      await clock.sleep(waitMs, stopping.signal);
    }
  };

  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
