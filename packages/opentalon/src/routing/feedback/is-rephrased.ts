import { matchPhrases, toPlainText, toTokens } from "./match-phrases.ts";

interface Word {
  readonly text: string;
  readonly weight: number;
}

const readCharacters = 400;
/** A repeated question has at least so much to say; shorter ones ("why?", "more") are asked again in good faith. */
const leastWeight = 8;
/** Parts of the old question that come back, and of the new one that were there. */
const leastOfQuestion = 0.65;
const leastOfMessage = 0.5;
/** A word that weighs so much names something. */
const leastContent = 2;
/** Shorter words are the same only when all of their letters are. */
const leastAlike = 4;

const isIdeograph = (token: string): boolean => (token.codePointAt(0) ?? 0) >= 0x2e80;

/** Words with what they tell: long ones and numbers more, little words of any known language hardly. */
function toWords(text: string): readonly Word[] {
  const matches = matchPhrases(toTokens(toPlainText(text.slice(0, readCharacters))));
  return matches.flatMap(({ tokens, kinds }) => {
    const isSmall = kinds.has("filler") || kinds.has("ask") || kinds.has("further");
    return tokens.map((token) => {
      if (isSmall || kinds.size > 0) return { text: token, weight: 0.5 };
      if (isIdeograph(token)) return { text: token, weight: 2 };
      if (/^\p{N}+$/u.test(token)) return { text: token, weight: 5 };
      return { text: token, weight: Math.min(8, Math.max(1, token.length - 1)) };
    });
  });
}

/** The same word in another form or with a slip of the finger. */
function isAlike(one: string, two: string): boolean {
  if (one === two) return true;
  const least = Math.min(one.length, two.length);
  if (least < leastAlike) return false;
  let start = 0;
  while (start < least && one[start] === two[start]) start++;
  let end = 0;
  while (end < least - start && one.at(-1 - end) === two.at(-1 - end)) end++;
  const different = Math.max(one.length, two.length) - start - end;
  return (start >= 4 && start >= least - 2) || (least >= 5 && different <= 2 && start > 0);
}

const sum = (words: readonly Word[]): number => words.reduce((all, { weight }) => all + weight, 0);

interface Place extends Word {
  /** Whether the other text has it too. */
  readonly isShared: boolean;
  /** The nearest shared words on both sides; empty at an end. */
  left: string;
  right: string;
}

function toPlaces(words: readonly Word[], others: readonly Word[]): readonly Place[] {
  const exact = new Set(others.map(({ text }) => text));
  const long = [...exact].filter((text) => text.length >= leastAlike);
  const places = words.map(({ text, weight }): Place => {
    const isShared =
      exact.has(text) || (text.length >= leastAlike && long.some((other) => isAlike(text, other)));
    return { text, weight, isShared, left: "", right: "" };
  });
  let nearest = "";
  for (const place of places) {
    place.left = nearest;
    if (place.isShared) nearest = place.text;
  }
  nearest = "";
  for (const place of places.toReversed()) {
    place.right = nearest;
    if (place.isShared) nearest = place.text;
  }
  return places;
}

/**
 * Whether a message asks the previous question again, in other words or with more emphasis. A question of the same form
 * about something else ("capital of France" after "capital of Spain") is a new one.
 */
export function isRephrased(question: string, message: string): boolean {
  const [before, after] = [toWords(question), toWords(message)];
  const gone = toPlaces(before, after).filter(({ isShared }) => !isShared);
  const fresh = toPlaces(after, before).filter(({ isShared }) => !isShared);
  const [weightBefore, weightAfter] = [sum(before), sum(after)];
  if (weightBefore < leastWeight || weightAfter < leastWeight / 2) return false;
  if (1 - sum(gone) / weightBefore < leastOfQuestion) return false;
  if (1 - sum(fresh) / weightAfter < leastOfMessage) return false;
  // Where something left its place to something else, in the same frame, another thing is asked.
  const isSwap = gone.some(
    (old) =>
      old.weight >= leastContent &&
      fresh.some(
        (other) =>
          other.weight >= leastContent &&
          (isAlike(old.left, other.left) || (old.right !== "" && isAlike(old.right, other.right))),
      ),
  );
  return !isSwap;
}
