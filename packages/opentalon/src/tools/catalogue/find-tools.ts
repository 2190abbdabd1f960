import { type Tool, toToolName } from "../../domain/tool.ts";

/** Tools that share words with the query, best first: words of the name count more, and so do rare words. */
export function findTools(tools: readonly Tool[], query: string): readonly Tool[] {
  const wanted = [...new Set(toWords(query.slice(0, maxQueryLength)))].slice(0, maxWords);
  const indexed = tools.map((tool) => ({
    tool,
    name: toWords(toToolName(tool)),
    about: toWords(tool.description.slice(0, maxDescriptionLength)),
  }));
  const weights = wanted.map((word) => {
    const holders = indexed.filter(
      ({ name, about }) => isAmong(word, name) || isAmong(word, about),
    ).length;
    return { word, weight: Math.log1p(tools.length / (holders + 1)) };
  });
  return indexed
    .map(({ tool, name, about }) => ({
      tool,
      score: weights.reduce(
        (sum, { word, weight }) =>
          sum + (isAmong(word, name) ? 3 * weight : isAmong(word, about) ? weight : 0),
        0,
      ),
    }))
    .filter(({ score }) => score > 0)
    .toSorted((one, other) => other.score - one.score)
    .map(({ tool }) => tool);
}

const maxQueryLength = 500;
const maxDescriptionLength = 1_000;
const maxWords = 20;

function toWords(text: string): readonly string[] {
  return (
    text
      .replaceAll(/([a-z\d])([A-Z])/g, "$1 $2")
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}

/** `issue` finds `issues`, and the other way round. */
function isAmong(word: string, words: readonly string[]): boolean {
  return words.some(
    (known) =>
      known === word ||
      (word.length >= 3 && known.startsWith(word)) ||
      (known.length >= 3 && word.startsWith(known)),
  );
}
