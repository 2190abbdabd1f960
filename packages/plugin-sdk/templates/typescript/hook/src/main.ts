/** A hook: sees each message before a model does (`prepare`) and each answer before the person does (`format`). */
import { serveHook } from "@opentalon/plugin-sdk";

let words: Readonly<Record<string, string>> = {};

await serveHook({
  name: "my-plugin",
  description: "Rules that hold whatever a model thinks of them",
  /** Takes what stands under `config` of the plugin's entry, or refuses it in words. */
  onConfigure: ({ words: wanted = {} }) => {
    if (!isVocabulary(wanted)) throw new Error("`words` must map words to texts");
    words = wanted;
  },
  prepare: ({ text }) => {
    if (/salary/i.test(text))
      return { refuse: "Questions about salaries go to people@example.com." };
    return text
      .split(" ")
      .map((word) => words[word] ?? word)
      .join(" ");
  },
  format: ({ text }) => (/refund/i.test(text) ? `${text}\n\nRefunds are decided by people.` : text),
});

function isVocabulary(value: unknown): value is Readonly<Record<string, string>> {
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).every((meaning) => typeof meaning === "string");
}
