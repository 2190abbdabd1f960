import type { TranscriptMessage } from "../domain/session.ts";

const answerLength = 200;
/** A search needs no more of a question. */
const questionLength = 8_192;

/**
 * What a hook that searches needs besides the new message, because "and tomorrow?" finds nothing by itself: the
 * person's last message and the beginning of the answer to it. Empty at the start of a conversation.
 */
export function toSearchContext(messages: readonly TranscriptMessage[]): string {
  const question = messages.findLast(({ role }) => role === "user")?.content ?? "";
  const answer =
    messages.findLast(({ role, content }) => role === "assistant" && content !== "")?.content ?? "";
  return [question.slice(0, questionLength), answer.slice(0, answerLength)]
    .map((part) => part.toWellFormed().trim())
    .filter((part) => part !== "")
    .join("\n");
}
