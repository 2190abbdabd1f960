import { createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { StoreError, type StoreErrorCode } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Store } from "./ports.ts";

export interface PatientStoreOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends all waiting: what could not be written then rejects, and goes on after the next start. */
  readonly signal: AbortSignal;
}

/** Failures that pass by themselves, or when the operator makes room. */
const passingCodes: ReadonlySet<StoreErrorCode> = new Set([
  "STORE_FULL",
  "STORE_UNREACHABLE",
  "STORE_LOCKED",
]);
/** Any other failure might be a hiccup too, but not for long. */
const maxOtherAttempts = 3;
const firstWaitMs = 200;
const slowestWaitMs = 30_000;

/**
 * The same store, except that what a turn or a delivery has to write waits until it can be written: a full disk or a
 * database that is away holds work up and neither repeats nor loses it. Taking messages in stays impatient, because
 * whoever sent one has to be told at once.
 */
export function createPatientStore({ store, clock, log, signal }: PatientStoreOptions): Store {
  const patiently = async <Result>(what: string, act: () => Promise<Result>): Promise<Result> => {
    const backoff = createBackoff({ initialMs: firstWaitMs, maxMs: slowestWaitMs });
    for (let otherFailures = 0; ;) {
      try {
        return await act();
      } catch (error) {
        if (!(error instanceof StoreError) || error.code === "STORE_FENCED") throw error;
        if (!passingCodes.has(error.code)) otherFailures += 1;
        if (signal.aborted || otherFailures >= maxOtherAttempts) throw error;
        const waitMs = backoff.nextMs();
        log.error({ err: error, waitMs }, `${what} failed and will be tried again`);
        await clock.sleep(waitMs, signal);
      }
    }
  };
  const { budgets, journal, outbox, posted, sessions } = store;

  return {
    ...store,
    journal: {
      load: (turnId) => patiently("reading a journal", () => journal.load(turnId)),
      begin: (turnId, step) => patiently("writing a journal", () => journal.begin(turnId, step)),
      record: (turnId, step, value) =>
        patiently("writing a journal", () => journal.record(turnId, step, value)),
    },
    sessions: {
      load: (key, maxMessages) =>
        patiently("reading a conversation", () => sessions.load(key, maxMessages)),
    },
    budgets: {
      ...budgets,
      reserve: (reservation) => patiently("reserving a budget", () => budgets.reserve(reservation)),
      settle: (call) => patiently("booking a budget", () => budgets.settle(call)),
    },
    outbox: {
      ...outbox,
      markSending: (id) => patiently("updating the outbox", () => outbox.markSending(id)),
      markDelivered: (id) => patiently("updating the outbox", () => outbox.markDelivered(id)),
      markWaiting: (id, dueAtMs, problem) =>
        patiently("updating the outbox", () => outbox.markWaiting(id, dueAtMs, problem)),
      markFailed: (id, problem) =>
        patiently("updating the outbox", () => outbox.markFailed(id, problem)),
    },
    posted: {
      add: (messages) => patiently("noting a delivery", () => posted.add(messages)),
      findTurn: (message) => patiently("looking for an answer", () => posted.findTurn(message)),
      hasTurn: (turnId) => patiently("looking for an answer", () => posted.hasTurn(turnId)),
    },
    commitTurn: (commit) => patiently("committing a turn", () => store.commitTurn(commit)),
  };
}
