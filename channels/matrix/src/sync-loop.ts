import type { ClientApi } from "./client-api.ts";
import type { Invitations } from "./invitations.ts";
import { isPassing, isSignedOut, MatrixError, toMessage } from "./matrix-error.ts";
import { createPauses, type Clock } from "./patience.ts";
import { member, toList, toObject, toText, type JsonObject } from "./read-json.ts";
import type { Rooms } from "./rooms.ts";
import type { SyncState } from "./sync-state.ts";
import type { StoredEvent, TakeEvent } from "./take-event.ts";
import { readTimeline, wantedEvents } from "./timeline.ts";

export interface SyncLoopOptions {
  readonly api: Pick<ClientApi, "sync" | "messagesBefore">;
  readonly userId: string;
  readonly state: SyncState;
  readonly rooms: Rooms;
  readonly invitations: Invitations;
  readonly takeEvent: TakeEvent;
  /** The last message of each thread that was stored. */
  readonly onStored: (roomId: string, stored: StoredEvent) => void;
  readonly onEncrypted: (roomId: string) => void;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

const nothing = { types: [] };
/** `limit` is of each room. */
const toFilter = (limit: number): JsonObject => ({
  presence: nothing,
  account_data: nothing,
  room: {
    ephemeral: nothing,
    account_data: nothing,
    state: {
      types: ["m.room.member", "m.room.encryption"],
      lazy_load_members: true,
      include_redundant_members: true,
    },
    timeline: { ...wantedEvents, limit },
  },
});
/** Where we begin, only what stands in a room's state counts. */
const firstLimit = 1;
const usualLimit = 100;
/** What does not fit into one answer is asked for room by room. */
const smallLimit = 4;

const waitMs = 30_000;
const saveEvery = 20;
/** A homeserver that answers at once with nothing is not asked without end. */
const emptyPauseMs = 250;

/**
 * Listens until the signal aborts. Where the homeserver goes on is kept only once everything before is stored, so that what a
 * crash interrupts comes again. While the homeserver is away it is tried again for as long as it takes.
 * @throws MatrixError when it does not let us in any more; what `takeEvent` throws when the channel is being stopped.
 */
export async function runSyncLoop(options: SyncLoopOptions): Promise<void> {
  const { api, state, clock, log, signal } = options;
  let toPauseMs = createPauses();
  let limit = usualLimit;
  while (!signal.aborted) {
    const { since } = state;
    const beganMs = clock.nowMs();
    let answer: JsonObject;
    try {
      const asked =
        since === undefined
          ? { since, filter: toFilter(firstLimit), waitMs: 0 }
          : { since, filter: toFilter(limit), waitMs };
      answer = await api.sync(asked, signal);
      toPauseMs = createPauses();
      limit = usualLimit;
    } catch (error) {
      if (signal.aborted) return;
      if (isSignedOut(error)) throw error;
      if (since !== undefined && isLostPosition(error)) {
        log(
          `the homeserver does not know our position any more; what came meanwhile is not answered: ${toMessage(error)}`,
        );
        state.since = undefined;
        continue;
      }
      if (since !== undefined && isTooLarge(error) && limit > smallLimit) {
        limit = smallLimit;
        continue;
      }
      if (!isPassing(error)) throw error;
      const pauseMs = toPauseMs(error);
      log(
        `the homeserver cannot be asked, trying again in ${pauseMs / 1_000} s: ${toMessage(error)}`,
      );
      await clock.sleep(pauseMs, signal);
      continue;
    }
    const hasNews = await takeAnswer(answer, options);
    if (!hasNews && clock.nowMs() - beganMs < emptyPauseMs) await clock.sleep(emptyPauseMs, signal);
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof MatrixError && error.code === "M_TOO_LARGE";
}

function isLostPosition(error: unknown): boolean {
  return (
    error instanceof MatrixError &&
    error.status === 400 &&
    ["M_UNKNOWN", "M_INVALID_PARAM", "M_UNKNOWN_POS"].includes(error.code)
  );
}

/** Whether there was anything in it. */
async function takeAnswer(answer: JsonObject, options: SyncLoopOptions): Promise<boolean> {
  const { state, rooms, invitations } = options;
  const { since } = state;
  const all = member(answer, "rooms");
  const joined = Object.entries(toObject(member(all, "join")));
  const invited = Object.entries(toObject(member(all, "invite")));
  const left = Object.keys(toObject(member(all, "leave")));
  for (const [roomId, room] of joined) {
    if (since === undefined) learnRoom(roomId, room, options);
    else await takeRoom(roomId, room, since, options);
  }
  // Those that wait since before our time are accepted; what was written then is not answered.
  for (const [roomId, room] of invited) invitations.take(roomId, room, since !== undefined);
  for (const roomId of left) {
    rooms.forget(roomId);
    state.invitations.delete(roomId);
    state.lastEvents.delete(roomId);
  }
  state.since = toText(member(answer, "next_batch"));
  const hasNews = joined.length + invited.length + left.length > 0;
  if (hasNews || since === undefined) await state.save();
  invitations.follow();
  return hasNews;
}

async function takeRoom(
  roomId: string,
  room: unknown,
  since: string,
  options: SyncLoopOptions,
): Promise<void> {
  const { state, onStored } = options;
  const timeline = member(room, "timeline");
  const invitation = state.invitations.get(roomId);
  const gap = {
    since,
    lastEvent: state.lastEvents.get(roomId) ?? "",
    takesEarlier: invitation?.takesEarlier === true,
  };
  learnRoom(roomId, room, options);
  const stored = new Map<string, StoredEvent>();
  let count = 0;
  for await (const page of readTimeline(roomId, timeline, gap, options)) {
    options.rooms.learn(roomId, undefined, page.state);
    for (const event of page.events) {
      const taken = await takeSurely(roomId, event, options);
      if (taken !== undefined) stored.set(taken.threadId, taken);
      const eventId = toText(member(event, "event_id"));
      if (eventId !== "") state.lastEvents.set(roomId, eventId);
      count += 1;
      // In the middle of very many, what is done already need not be asked for again after a crash.
      if (count % saveEvery === 0) await state.save();
    }
  }
  state.invitations.delete(roomId);
  for (const each of stored.values()) onStored(roomId, each);
}

/** One event that nobody can read must not keep all others from being read, at this start and at every other. */
async function takeSurely(
  roomId: string,
  event: unknown,
  { takeEvent, log, signal }: SyncLoopOptions,
): Promise<StoredEvent | undefined> {
  try {
    return await takeEvent(roomId, event);
  } catch (error) {
    if (signal.aborted || error instanceof MatrixError) throw error;
    const eventId = toText(member(event, "event_id"));
    log(`the event ${eventId} of ${roomId} cannot be read and is left out: ${toMessage(error)}`);
    return undefined;
  }
}

function learnRoom(roomId: string, room: unknown, { rooms, onEncrypted }: SyncLoopOptions): void {
  const timeline = toList(member(member(room, "timeline"), "events"));
  for (const event of timeline) {
    if (member(event, "type") === "m.room.member") rooms.learnMember(roomId, event);
  }
  const state = toList(member(member(room, "state"), "events"));
  rooms.learn(roomId, member(room, "summary"), state);
  if (state.some((event) => member(event, "type") === "m.room.encryption")) onEncrypted(roomId);
}
