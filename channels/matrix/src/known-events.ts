import type { ClientApi } from "./client-api.ts";
import { isFinal } from "./matrix-error.ts";
import { member, toText } from "./read-json.ts";
import { createRecentMap } from "./recent-map.ts";
import { readRelation } from "./relations.ts";

/** What matters of an event that others refer to. */
export interface KnownEvent {
  readonly isOwn: boolean;
  readonly sender: string;
  /** Root of the thread it is in; empty outside threads. */
  readonly threadId: string;
  /** It asks for consent: for which call, where that has an identifier. */
  readonly question: { readonly toolCallId: string } | undefined;
  /** The event it is a reaction to; empty when it is none. */
  readonly reactsTo: string;
  /** We wrote in the thread it is the root of. */
  readonly isOurThread: boolean;
}

/** Events that were seen lately; others are asked for. */
export interface KnownEvents {
  readonly learn: (roomId: string, eventId: string, event: unknown) => void;
  readonly learnThread: (roomId: string, threadId: string) => void;
  /** `undefined` when it cannot be seen. @throws MatrixError when the homeserver cannot be asked. */
  readonly find: (
    roomId: string,
    eventId: string,
    signal: AbortSignal,
  ) => Promise<KnownEvent | undefined>;
  /** What is known without asking. */
  readonly recall: (roomId: string, eventId: string) => KnownEvent | undefined;
  /** It is a thread below something we wrote, or one we wrote in. @throws as `find`. */
  readonly takesPart: (roomId: string, threadId: string, signal: AbortSignal) => Promise<boolean>;
}

const maxEvents = 5_000;
const maxThreads = 2_000;

/** What a question for consent carries, so that it is known as one also after a restart. */
export const confirmationKey = "org.opentalon.confirmation";

export function createKnownEvents(api: Pick<ClientApi, "event">, ownId: string): KnownEvents {
  const events = createRecentMap<KnownEvent | "unseen">(maxEvents);
  const ourThreads = createRecentMap<true>(maxThreads);
  const toKey = (roomId: string, eventId: string): string => `${roomId} ${eventId}`;

  const read = (event: unknown): KnownEvent => {
    const content = member(event, "content");
    const sender = toText(member(event, "sender"));
    const { kind, eventId, threadId } = readRelation(content);
    const related = member(member(event, "unsigned"), "m.relations");
    const edit = member(member(related, "m.replace"), "content");
    const latest = member(edit, "m.new_content") ?? content;
    return {
      isOwn: sender === ownId,
      sender,
      threadId,
      question: readQuestion(member(latest, confirmationKey)),
      reactsTo: kind === "m.annotation" ? eventId : "",
      isOurThread: member(member(related, "m.thread"), "current_user_participated") === true,
    };
  };

  const learn: KnownEvents["learn"] = (roomId, eventId, event) => {
    const known = read(event);
    events.set(toKey(roomId, eventId), known);
    if (known.isOwn && known.threadId !== "") ourThreads.set(toKey(roomId, known.threadId), true);
    if (known.isOurThread) ourThreads.set(toKey(roomId, eventId), true);
  };

  const find: KnownEvents["find"] = async (roomId, eventId, signal) => {
    const key = toKey(roomId, eventId);
    if (events.get(key) === undefined) {
      try {
        learn(roomId, eventId, await api.event(roomId, eventId, signal));
      } catch (error) {
        if (!isFinal(error)) throw error;
        events.set(key, "unseen");
      }
    }
    const known = events.get(key);
    return known === "unseen" ? undefined : known;
  };

  return {
    learn,
    learnThread: (roomId, threadId) => ourThreads.set(toKey(roomId, threadId), true),
    find,
    recall: (roomId, eventId) => {
      const known = events.get(toKey(roomId, eventId));
      return known === "unseen" ? undefined : known;
    },
    takesPart: async (roomId, threadId, signal) => {
      const key = toKey(roomId, threadId);
      if (ourThreads.get(key) === true) return true;
      const root = await find(roomId, threadId, signal);
      return root?.isOwn === true || ourThreads.get(key) === true;
    },
  };
}

function readQuestion(value: unknown): KnownEvent["question"] {
  return value === undefined ? undefined : { toolCallId: toText(member(value, "tool_call_id")) };
}
