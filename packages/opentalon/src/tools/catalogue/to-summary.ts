import type { Tool } from "../../domain/tool.ts";
import { cleanText } from "../guard/clean-text.ts";
import { neutralise } from "../guard/neutralise.ts";

const maxLength = 120;

/** What a tool does, on one short line. The words come from a plugin and are made harmless like its results. */
export function toSummary({ description }: Tool): string {
  const line = neutralise(cleanText(description)).replaceAll(/\s+/g, " ").trim();
  const sentence = /^.{20,}?[.!?](?= )/u.exec(line)?.[0] ?? line;
  return sentence.length <= maxLength
    ? sentence
    : `${sentence.slice(0, maxLength - 1).toWellFormed()}…`;
}
