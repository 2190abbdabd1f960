import type { TranscriptMessage } from "../domain/session.ts";
import { estimateFiles } from "./estimate-files.ts";

/** First characters of what lies beyond the Latin alphabets, and of the scripts that write syllables or words. */
const beyondLatin = 0x0250;
const wideScripts = 0x2e80;

/** Tokens of a text, estimated on the safe side: 3.5 Latin characters each, two of other alphabets, one of wide scripts. */
export function estimateText(text: string): number {
  let foreign = 0;
  let wide = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code >= wideScripts) wide += 1;
    else if (code >= beyondLatin) foreign += 1;
  }
  return Math.ceil((text.length - foreign - wide) / 3.5 + foreign / 2 + wide);
}

/** The estimate for a message: its text, files and calls, and 7 tokens for its frame. */
export function estimateTokens(message: TranscriptMessage): number {
  const calls = message.role === "assistant" ? message.toolCalls : [];
  const callTexts = calls.map(({ name, arguments: values }) => name + JSON.stringify(values));
  const files = message.role === "user" ? (message.files ?? []) : [];
  return estimateText([message.content, ...callTexts].join("")) + estimateFiles(files) + 7;
}

/** Messages from a user's words to the next; `tokens` is the estimate. A tool call never loses its result. */
export interface TranscriptTurn {
  readonly messages: readonly TranscriptMessage[];
  readonly tokens: number;
}

/** The turns of a transcript, oldest first, without one whose beginning is missing. */
export function toTurns(messages: readonly TranscriptMessage[]): readonly TranscriptTurn[] {
  const starts = messages.flatMap(({ role }, index) => (role === "user" ? [index] : []));
  return starts.map((start, index) => {
    const turn = messages.slice(start, starts[index + 1]);
    return { messages: turn, tokens: sumTokens(turn) };
  });
}

export function sumTokens(messages: readonly TranscriptMessage[]): number {
  return messages.reduce((sum, message) => sum + estimateTokens(message), 0);
}

/** The newest of `turns` that stay within `budgetTokens` and `maxTurns`, without a gap. */
export function fitHistory(
  turns: readonly TranscriptTurn[],
  budgetTokens: number,
  maxTurns: number = turns.length,
): readonly TranscriptTurn[] {
  let start = turns.length;
  let usedTokens = 0;
  while (start > 0 && turns.length - start < maxTurns) {
    usedTokens += turns[start - 1]?.tokens ?? 0;
    if (usedTokens > budgetTokens) break;
    start -= 1;
  }
  return turns.slice(start);
}
