import type { Model, ToolSpecification } from "../domain/model.ts";
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

/** Share of a context window that stays free: estimates are estimates. */
const windowReserve = 0.05;
/** Share of the window kept for the answer when the model's output limit is not known. */
const outputShare = 0.1;

/** Tokens left for earlier messages beside what is always sent; `undefined` when the model's window is not known. */
export function toHistoryBudget(
  { contextWindow, maxTokens }: Pick<Model, "contextWindow" | "maxTokens">,
  fixed: {
    readonly system: string;
    readonly userText: string;
    readonly tools: readonly ToolSpecification[];
  },
): number | undefined {
  if (contextWindow === 0) return undefined;
  const output = maxTokens > 0 ? maxTokens : Math.ceil(contextWindow * outputShare);
  const fixedLength =
    fixed.system.length + fixed.userText.length + JSON.stringify(fixed.tools).length;
  const usable = Math.floor(contextWindow * (1 - windowReserve));
  return Math.max(0, usable - output - Math.ceil(fixedLength / 3.5));
}
