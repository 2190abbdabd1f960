import type { OutboundMessage } from "../domain/message.ts";
import { splitReply } from "./split-reply.ts";

/** Metadata that belongs to the end of a reply: what the person can click on. */
const closing = new Set(["type", "prompt_type", "options", "tool_call_id"]);

/**
 * A reply as messages of at most `maxLength` characters each (0 = one). Files, and what the person can answer with a click,
 * come with the last one.
 */
export function splitMessage(
  message: OutboundMessage,
  maxLength: number,
): readonly OutboundMessage[] {
  const contents = splitReply(message.content, maxLength);
  const last = contents.length - 1;
  if (last <= 0) return [message];
  const opening = Object.fromEntries(
    Object.entries(message.metadata).filter(([name]) => !closing.has(name)),
  );
  return contents.map((content, index) =>
    index === last
      ? { ...message, content }
      : { ...message, content, files: [], metadata: opening },
  );
}
