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

/** Some of the events of a room. */
export interface TimelinePage {
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
/** 50,000 events. */
const maxPages = 500;
/** What is more than these is asked for a second time, instead of being kept. */
const maxKeptPages = 20;

/**
 * The events of a room that are new, oldest first: where the sync left some out because they were many, those in between, and
 * then those it brought. Of a room we have just come to only what was said since then, or since the invitation.
 * @throws MatrixError when we are signed out.
 */
export async function* readTimeline(
  roomId: string,
  timeline: unknown,
  gap: Gap,
  options: TimelineOptions,
): AsyncGenerator<TimelinePage> {
  const recent = toList(member(timeline, "events"));
  const from = toText(member(timeline, "prev_batch"));
  const arrival = findArrival(recent, gap, options.userId);
  if (arrival === undefined && member(timeline, "limited") === true && from !== "")
    yield* readGap(roomId, from, gap, options);
  yield { events: recent.slice(arrival ?? 0), state: [] };
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

interface FoundPage extends TimelinePage {
  /** Where the one before it begins; empty when there is none that counts. */
  readonly next: string;
}

/** Homeservers go backwards from the newest; so first the way to the oldest is found. */
async function* readGap(
  roomId: string,
  start: string,
  gap: Gap,
  options: TimelineOptions,
): AsyncGenerator<TimelinePage> {
  const steps: { readonly from: string; readonly page: FoundPage | undefined }[] = [];
  let from = start;
  while (from !== "" && steps.length < maxPages) {
    const page = await readPage(roomId, from, gap, options);
    steps.push({ from, page: steps.length < maxKeptPages ? page : undefined });
    from = page.next;
  }
  if (from !== "")
    options.log(
      `more was written in ${roomId} than can be caught up with; the oldest is not answered`,
    );
  for (const step of steps.toReversed())
    yield step.page ?? (await readPage(roomId, step.from, gap, options));
}

async function readPage(
  roomId: string,
  from: string,
  gap: Gap,
  { api, userId, clock, log, signal }: TimelineOptions,
): Promise<FoundPage> {
  const { since, lastEvent } = gap;
  // Of a room we may have just come to, our own events say when; else they only take room.
  const filter = lastEvent === "" ? wantedEvents : { ...wantedEvents, not_senders: [userId] };
  const asked = { roomId, from, to: since, limit: pageSize, filter };
  const found = await withPatience({ clock, signal }, () =>
    api.messagesBefore(asked, signal),
  ).catch((error: unknown) => {
    if (!isFinal(error)) throw error;
    log(`messages of ${roomId} could not be asked for again: ${toMessage(error)}`);
    return { events: [], state: [], end: "" };
  });
  const events = found.events.toReversed();
  // Where the homeserver does not stop at our last position, the last event we saw does.
  const seen = events.findLastIndex((event) => member(event, "event_id") === lastEvent) + 1;
  const first = Math.max(seen, findArrival(events, gap, userId) ?? 0);
  const isEnd = first > 0 || found.end === from || found.end === since;
  return { events: events.slice(first), state: found.state, next: isEnd ? "" : found.end };
}
