import type { ClientApi } from "./client-api.ts";
import { isFinal, toMessage } from "./matrix-error.ts";
import { withPatience, type Clock } from "./patience.ts";
import { member, toList, toText, type JsonObject } from "./read-json.ts";
import { readMembership } from "./rooms.ts";

export interface TimelineOptions {
  readonly api: Pick<ClientApi, "messagesBefore">;
  readonly userId: string;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface Gap {
  /** Where the sync before ended. */
  readonly since: string;
  /** The last event that was handed over; empty when there is none. */
  readonly lastEvent: string;
  /** What was written between an invitation and our arrival counts. */
  readonly takesEarlier: boolean;
}

export interface Gathered {
  /** Oldest first. */
  readonly events: readonly unknown[];
  /** Facts about the room that came along. */
  readonly state: readonly unknown[];
}

/** What the syncs ask for. */
export const wantedEvents: JsonObject = {
  types: ["m.room.message", "m.reaction", "m.room.encrypted", "m.room.encryption", "m.room.member"],
  lazy_load_members: true,
  include_redundant_members: true,
};

const pageSize = 100;
const maxPages = 20;

/**
 * The events of a room that are new: those the sync brought, and, where it left some out because they were many, those in
 * between, up to 2,000. Of a room we have just come to only what was said since then, or since the invitation.
 */
export async function gatherTimeline(
  roomId: string,
  timeline: unknown,
  gap: Gap,
  options: TimelineOptions,
): Promise<Gathered> {
  const recent = toList(member(timeline, "events"));
  const arrival = findArrival(recent, gap, options.userId);
  if (arrival !== undefined) return { events: recent.slice(arrival), state: [] };
  const from = toText(member(timeline, "prev_batch"));
  if (member(timeline, "limited") !== true || from === "") return { events: recent, state: [] };
  const { events, state } = await fillGap(roomId, from, gap, options);
  const fromArrival = findArrival(events, gap, options.userId) ?? 0;
  return { events: [...events.slice(fromArrival), ...recent], state };
}

/** Position of the first event that counts when we came to the room in these events; `undefined` when we did not. */
function findArrival(
  events: readonly unknown[],
  { takesEarlier, lastEvent }: Gap,
  userId: string,
): number | undefined {
  const isOurs = (event: unknown, membership: string): boolean => {
    if (member(event, "type") !== "m.room.member") return false;
    const { userId: who, now, before } = readMembership(event);
    if (who !== userId || now !== membership || before === "join") return false;
    // Some homeservers do not say what was before; in a room we know it is a new name.
    return before !== "" || lastEvent === "";
  };
  const joined = events.findLastIndex((event) => isOurs(event, "join"));
  if (joined < 0) return undefined;
  const invited = events.findLastIndex((event, at) => at < joined && isOurs(event, "invite"));
  return (takesEarlier && invited >= 0 ? invited : joined) + 1;
}

async function fillGap(
  roomId: string,
  start: string,
  { since, lastEvent }: Gap,
  { api, clock, log, signal }: TimelineOptions,
): Promise<Gathered> {
  const newestFirst: unknown[] = [];
  const state: unknown[] = [];
  let from = start;
  for (let page = 0; page < maxPages; page += 1) {
    const asked = { roomId, from, to: since, limit: pageSize, filter: wantedEvents };
    const found = await withPatience({ clock, signal }, () =>
      api.messagesBefore(asked, signal),
    ).catch((error: unknown) => {
      if (!isFinal(error)) throw error;
      log(`messages of ${roomId} could not be asked for again: ${toMessage(error)}`);
      return undefined;
    });
    if (found === undefined) break;
    state.push(...found.state);
    // Where the homeserver does not stop at our last position, the last event we saw does.
    const seen = found.events.findIndex((event) => member(event, "event_id") === lastEvent);
    newestFirst.push(...(seen < 0 ? found.events : found.events.slice(0, seen)));
    if (seen >= 0 || found.end === "" || found.end === from || found.end === since)
      return { events: newestFirst.toReversed(), state };
    from = found.end;
  }
  log(`more was written in ${roomId} than can be caught up with; the oldest is not answered`);
  return { events: newestFirst.toReversed(), state };
}
