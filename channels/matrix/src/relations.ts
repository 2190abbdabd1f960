import { member, toText } from "./read-json.ts";

/** How an event stands to others. Absent members are empty. */
export interface Relation {
  /** `m.replace`, `m.annotation`, … */
  readonly kind: string;
  /** The event it replaces or annotates. */
  readonly eventId: string;
  /** Root of the thread it is in. */
  readonly threadId: string;
  /** The event it answers, if a person chose that; what clients put there for those that know no threads does not count. */
  readonly replyTo: string;
  /** The emoji of a reaction. */
  readonly key: string;
}

export function readRelation(content: unknown): Relation {
  const relation = member(content, "m.relates_to");
  const kind = toText(member(relation, "rel_type"));
  const eventId = toText(member(relation, "event_id"));
  const isThread = kind === "m.thread";
  const isFallback = isThread && member(relation, "is_falling_back") === true;
  const answered = toText(member(member(relation, "m.in_reply_to"), "event_id"));
  return {
    kind,
    eventId,
    threadId: isThread ? eventId : "",
    replyTo: isFallback ? "" : answered,
    key: toText(member(relation, "key")),
  };
}
