import { feedbackPhrases, feedbackSigns, type FeedbackPhrases } from "./feedback-phrases.ts";

type PhraseKind = Exclude<keyof FeedbackPhrases, "language">;

/** A run of tokens that means something, or one token that does not: then `kinds` is empty. */
export interface PhraseMatch {
  readonly tokens: readonly string[];
  readonly kinds: ReadonlySet<PhraseKind>;
}

interface PhraseNode {
  readonly next: Map<string, PhraseNode>;
  /** Beginnings of a last word, with what they mean. */
  readonly stems: Map<string, Set<PhraseKind>>;
  readonly kinds: Set<PhraseKind>;
}

const none: ReadonlySet<PhraseKind> = new Set();
const createNode = (): PhraseNode => ({ next: new Map(), stems: new Map(), kinds: new Set() });

/** Scripts that put no space between words: there each character is a token. */
const tokenPattern =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]|[\p{L}\p{N}\p{M}_]+|\p{Extended_Pictographic}/gu;

/** One spelling for what people type in many: case, accents, apostrophes and look-alike letters. */
export function toPlainText(text: string): string {
  return text
    .toLowerCase()
    .normalize("NFKD")
    .replaceAll(/[\u0300-\u036f\ufe0f'’ʼ`´]/g, "")
    .normalize("NFC")
    .replaceAll("ı", "i")
    .replaceAll("đ", "d")
    .replaceAll("ł", "l")
    .replaceAll("ß", "ss")
    .replaceAll(/[أإآ]/g, "ا")
    .replaceAll("ى", "ي")
    .replaceAll("ة", "ه");
}

/** `text` has gone through `toPlainText`. */
export const toTokens = (text: string): readonly string[] => text.match(tokenPattern) ?? [];

const addPhrase = (root: PhraseNode, phrase: string, kind: PhraseKind): void => {
  const tokens = toTokens(toPlainText(phrase));
  let node = root;
  tokens.forEach((token, at) => {
    if (phrase.endsWith("*") && at === tokens.length - 1) {
      const kinds = node.stems.get(token) ?? new Set();
      node.stems.set(token, kinds.add(kind));
      return;
    }
    const next = node.next.get(token) ?? createNode();
    node.next.set(token, next);
    node = next;
    if (at === tokens.length - 1) node.kinds.add(kind);
  });
};

function buildPhrases(): PhraseNode {
  const root = createNode();
  for (const { language: _, ...phrases } of feedbackPhrases)
    for (const [kind, list] of Object.entries(phrases))
      for (const phrase of list.split("|")) addPhrase(root, phrase, kind as PhraseKind);
  for (const sign of feedbackSigns.accepted) addPhrase(root, sign, "thanks");
  for (const sign of feedbackSigns.rejected) addPhrase(root, sign, "wrong");
  for (const sign of feedbackSigns.again) addPhrase(root, sign, "again");
  return root;
}

/** Built when the first message is read: it takes longer than any other part of a start. */
let builtPhrases: PhraseNode | undefined;

const toStem = (node: PhraseNode, token: string): ReadonlySet<PhraseKind> | undefined => {
  for (const [stem, kinds] of node.stems) if (token.startsWith(stem)) return kinds;
  return undefined;
};

/** Cuts tokens into phrases, the longest first. */
export function matchPhrases(tokens: readonly string[]): readonly PhraseMatch[] {
  const root = (builtPhrases ??= buildPhrases());
  const matches: PhraseMatch[] = [];
  for (let at = 0; at < tokens.length;) {
    let node: PhraseNode | undefined = root;
    let end = at + 1;
    let kinds = none;
    for (let to = at; to < tokens.length && node !== undefined; to++) {
      const token: string = tokens[to] ?? "";
      const stem = toStem(node, token);
      node = node.next.get(token);
      if (stem === undefined && (node === undefined || node.kinds.size === 0)) continue;
      kinds = node === undefined || node.kinds.size === 0 ? (stem ?? none) : node.kinds;
      end = to + 1;
    }
    matches.push({ tokens: tokens.slice(at, end), kinds });
    at = end;
  }
  return matches;
}
