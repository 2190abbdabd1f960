import type { ClientApi } from "./client-api.ts";
import type { KnownEvents } from "./known-events.ts";
import { MatrixError } from "./matrix-error.ts";
import { withPatience, type Clock } from "./patience.ts";
import type { JsonObject } from "./read-json.ts";

export interface PosterOptions {
  readonly api: Pick<ClientApi, "sendEvent">;
  readonly userId: string;
  readonly known: Pick<KnownEvents, "learn">;
  readonly clock: Clock;
}

export interface PostedEvent {
  readonly roomId: string;
  /** `m.room.message` unless said. */
  readonly type?: string;
  readonly content: JsonObject;
  readonly transactionId: string;
}

/** Sends events, and knows when the homeserver wants fewer. */
export interface Poster {
  /** Gives the id of the event. One attempt. @throws MatrixError */
  readonly post: (event: PostedEvent, signal: AbortSignal) => Promise<string>;
  /** Repeats what can be repeated for as long as a delivery may take. */
  readonly patiently: <Value>(signal: AbortSignal, task: () => Promise<Value>) => Promise<Value>;
  /** Takes notice of a failure that asks for patience. */
  readonly noteRest: (error: unknown) => void;
  /** The homeserver wants no more than it has to get. */
  readonly isResting: () => boolean;
}

/** OpenTalon waits half a minute for the end of a delivery. */
const patienceMs = 20_000;
const usualRestMs = 2_000;

export function createPoster({ api, userId, known, clock }: PosterOptions): Poster {
  let restUntilMs = 0;
  const noteRest = (error: unknown): void => {
    if (!(error instanceof MatrixError) || error.status !== 429) return;
    restUntilMs = Math.max(restUntilMs, clock.nowMs() + (error.retryAfterMs ?? usualRestMs));
  };
  return {
    post: async ({ roomId, type = "m.room.message", content, transactionId }, signal) => {
      const eventId = await api.sendEvent({ roomId, type, transactionId, content }, signal);
      known.learn(roomId, eventId, { sender: userId, content });
      return eventId;
    },
    patiently: (signal, task) =>
      withPatience({ clock, signal, withinMs: patienceMs, onRetry: noteRest }, task),
    noteRest,
    isResting: () => clock.nowMs() < restUntilMs,
  };
}
