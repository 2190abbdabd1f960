/** The rules of a house, before and after the model: a hook plugin that costs no tokens and asks no model. */
import { serveHook } from "@opentalon/plugin-sdk";

/** What people here say, and what it means. From `config.yaml`. */
let vocabulary: Readonly<Record<string, string>> = {};

await serveHook({
  name: "house-rules",
  description: "Company rules that hold whatever a model thinks of them",
  onConfigure: ({ vocabulary: words = {} }) => {
    if (!isVocabulary(words)) throw new Error("`vocabulary` must map words to texts");
    vocabulary = words;
  },

  /** Each message, before any model sees it. */
  prepare: ({ text }) => {
    if (/\b(?:salary|salaries)\b/i.test(text)) {
      return { refuse: "Questions about salaries go to people@example.com." };
    }
    return text.replaceAll(/\b[A-Z]{2,5}\b/g, (word) => {
      const meaning = vocabulary[word];
      return meaning === undefined ? word : `${meaning} (${word})`;
    });
  },

  /** Everything a model is about to be told: messages, and what tools returned. */
  guard: (text) => text.replaceAll(/\b\d(?:[ -]?\d){12,18}\b/g, "[card number]"),

  /** The answer, before the person sees it. */
  format: ({ text }) =>
    /refund/i.test(text)
      ? `${text}\n\nRefunds are decided by the finance team, not by this assistant.`
      : text,
});

function isVocabulary(value: unknown): value is Readonly<Record<string, string>> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((meaning) => typeof meaning === "string")
  );
}
