import type { TranscriptMessage } from "../domain/session.ts";

/** Tokens a text costs, estimated on the safe side: 3.5 characters each, and 7 per message for its frame. */
export function estimateTokens(message: TranscriptMessage): number {
  const callsLength =
    message.role === "assistant"
      ? message.toolCalls.reduce(
          (sum, call) => sum + call.name.length + JSON.stringify(call.arguments).length,
          0,
        )
      : 0;
  return Math.ceil((message.content.length + callsLength) / 3.5) + 7;
}

/**
 * The newest part of a transcript that fits `budgetTokens`, cut only between whole turns (a turn starts with a user
 * message), so that a tool call never loses its result. `budgetTokens` of `undefined` keeps everything whole.
 */
export function fitHistory(
  messages: readonly TranscriptMessage[],
  budgetTokens: number | undefined,
): readonly TranscriptMessage[] {
  let start = messages.length;
  let usedTokens = 0;
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    const message = messages[index];
    if (message === undefined) break;
    usedTokens += estimateTokens(message);
    if (budgetTokens !== undefined && usedTokens > budgetTokens) break;
    if (message.role === "user") start = index;
  }
  return messages.slice(start);
}
