import type { LengthRefusal } from "../../domain/request-fitter.ts";

/** How services say what a model reads at most; the first that matches counts. */
const limitWords: readonly RegExp[] = [
  /tokens > ([\d,]+)/i,
  /context limit: [\d,]+ \+ [\d,]+ > ([\d,]+)/i,
  /maximum number of tokens allowed \(?([\d,]+)/i,
  /max(?:imum)? context (?:length|window|size)(?: is| of|:)? ([\d,]+)/i,
  /context (?:size|window|length) (?:is |of )?\(?([\d,]+) tokens/i,
  /with ([\d,]+) maximum context/i,
];

/** How they say what the request came to, without what the answer may take. */
const sentWords: readonly RegExp[] = [
  /([\d,]+) tokens > [\d,]+/i,
  /context limit: ([\d,]+) \+ [\d,]+ > [\d,]+/i,
  /input token count \(?([\d,]+)/i,
  /([\d,]+) (?:tokens )?(?:in|from) the (?:messages|input|prompt)/i,
  /messages resulted in ([\d,]+) tokens/i,
  /(?:request|prompt) (?:contains |has )?\(?([\d,]+) tokens/i,
];

/** Reads the lengths out of the words with which a request was refused as too long. */
export function findTokenLimit(words: string): LengthRefusal {
  return { limitTokens: findCount(words, limitWords), sentTokens: findCount(words, sentWords) };
}

function findCount(words: string, patterns: readonly RegExp[]): number | undefined {
  for (const pattern of patterns) {
    const digits = pattern.exec(words)?.[1]?.replaceAll(",", "");
    if (digits !== undefined && digits !== "" && digits.length <= 9) return Number(digits);
  }
  return undefined;
}
