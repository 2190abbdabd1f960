import { member, toText } from "./read-json.ts";

/** Longest identifier Matrix has; what is longer is none. */
const longestIdentifier = 255;

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
  const eventId = toIdentifier(member(relation, "event_id"));
  const isThread = kind === "m.thread";
  const isFallback = isThread && member(relation, "is_falling_back") === true;
  const answered = toIdentifier(member(member(relation, "m.in_reply_to"), "event_id"));
  return {
    kind,
    eventId,
    threadId: isThread ? eventId : "",
    replyTo: isFallback ? "" : answered,
    key: toText(member(relation, "key")),
  };
}

function toIdentifier(value: unknown): string {
  const text = toText(value);
  return text.length <= longestIdentifier ? text : "";
}
