import type { TranscriptMessage } from "../domain/session.ts";
import { estimateTokens, sumTokens } from "./fit-history.ts";

/** Characters that always stay of a result, its envelope's markers among them. */
const leastLength = 600;

/** What an estimate counts besides text; cutting the text saves none of it. */
const frameTokens = 8;

/**
 * Cuts results of tools, the oldest first, until all messages together stay within `budgetTokens` or there is nothing
 * left to cut. Beginning and end of a result stay, a note stands between them.
 */
export function shortenResults(
  messages: readonly TranscriptMessage[],
  budgetTokens: number,
): readonly TranscriptMessage[] {
  let excessTokens = sumTokens(messages) - budgetTokens;
  return messages.map((message) => {
    if (excessTokens <= 0 || message.role !== "tool") return message;
    const tokens = estimateTokens(message);
    const { length } = message.content;
    const wanted = Math.floor(length * (1 - (excessTokens + frameTokens) / tokens));
    const content = cutMiddle(message.content, Math.max(leastLength, wanted));
    const shorter = { ...message, content };
    const savedTokens = tokens - estimateTokens(shorter);
    if (savedTokens <= 0) return message;
    excessTokens -= savedTokens;
    return shorter;
  });
}

function cutMiddle(text: string, maxLength: number): string {
  const toNote = (count: number): string =>
    `\n(… ${count} characters left out: too long for the model …)\n`;
  const keptLength = maxLength - toNote(text.length).length;
  if (text.length <= maxLength) return text;
  const headLength = Math.ceil((keptLength * 2) / 3);
  const tailLength = keptLength - headLength;
  const note = toNote(text.length - keptLength);
  return text.slice(0, headLength) + note + text.slice(text.length - tailLength);
}
