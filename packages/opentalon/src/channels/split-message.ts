import type { OutboundMessage } from "../domain/message.ts";
import { splitReply } from "./split-reply.ts";

/** Metadata that belongs to the end of a reply: what the person can click on. */
const closing = new Set(["type", "prompt_type", "options", "tool_call_id"]);

/**
 * A reply as messages of at most `maxLength` characters each (0 = one), or of the given texts. Files, and what the person
 * can answer with a click, come with the last one.
 */
export function splitMessage(
  message: OutboundMessage,
  cut: number | readonly string[],
): readonly OutboundMessage[] {
  const contents = typeof cut === "number" ? splitReply(message.content, cut) : cut;
  const last = contents.length - 1;
  if (last <= 0) return [{ ...message, content: contents[0] ?? "" }];
  const opening = withoutClosing(message.metadata);
  return contents.map((content, index) =>
    index === last
      ? { ...message, content }
      : { ...message, content, files: [], metadata: opening },
  );
}

/** Metadata for what is not the end of a reply. */
export function withoutClosing(metadata: OutboundMessage["metadata"]): OutboundMessage["metadata"] {
  return Object.fromEntries(Object.entries(metadata).filter(([name]) => !closing.has(name)));
}
