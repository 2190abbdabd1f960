/**
 * Gets: a question, its answer and the message that came next. Gives: what that message says about the answer.
 * Never: asks a model, keeps a word, or takes longer for a longer message.
 */
import { isRephrased } from "./is-rephrased.ts";
import { matchPhrases, toPlainText, toTokens, type PhraseMatch } from "./match-phrases.ts";

export type Feedback =
  | { readonly kind: "accepted" }
  /** `retry` only wants another answer, `correction` says what is wrong, `rephrased` asks once more. */
  | { readonly kind: "rejected"; readonly how: "retry" | "correction" | "rephrased" }
  /** The message tells nothing about the answer. */
  | { readonly kind: "none" };

/** What people think of an answer they say first. */
const readCharacters = 400;
/** Of a long message only the first parts are about the answer. */
const firstClauses = 2;
const longTokens = 25;
/** So short a message after a question of the assistant answers that question. */
const shortTokens = 6;
/** Stands for quoted words, which are not the person's own; no phrase holds it. */
const quoted = " qqquoted ";

const quotes = /```[^`]*(?:```|$)|"[^"]*"|`[^`]*`|“[^”]*”|«[^»]*»|「[^」]*」|„[^“”]*[“”]/g;
const clauseEnds = /([,.;:!?\n—–…、。，！？；：؟،।]|\s-+\s|\(|\))/u;

/** Whether an answer ends with a question; what stands behind it in brackets or as decoration does not count. */
const asksBack = (answer: string): boolean =>
  /[?？؟;]$/u.test(
    answer
      .slice(-200)
      .replace(/\([^()]*\)\s*$/u, "")
      .replace(/[^\p{L}\p{N}?？؟;]+$/u, ""),
  );

interface Clause {
  readonly matches: readonly PhraseMatch[];
  readonly isQuestion: boolean;
}

function toClauses(message: string): readonly Clause[] {
  const head = message.slice(0, readCharacters);
  const parts = head.replaceAll(quotes, quoted).split(clauseEnds);
  const clauses: Clause[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const matches = matchPhrases(toTokens(toPlainText(parts[at] ?? "")));
    if (matches.length === 0) continue;
    clauses.push({ matches, isQuestion: /[?？؟]/u.test(parts[at + 1] ?? "") });
    // What follows a colon is told, not said.
    if (/[:：]/u.test(parts[at + 1] ?? "")) {
      const rest = parts.slice(at + 2).join(" ");
      const told = matchPhrases(toTokens(toPlainText(rest)));
      if (told.length > 0)
        clauses.push({
          matches: [{ tokens: [quoted], kinds: new Set() }, ...told],
          isQuestion: false,
        });
      break;
    }
  }
  return clauses;
}

const isContent = ({ kinds }: PhraseMatch): boolean =>
  kinds.size === 0 || (kinds.size === 1 && kinds.has("ask"));

interface Signals {
  readonly no: boolean;
  readonly wrong: boolean;
  readonly again: boolean;
  /** Holds whatever else is said. */
  readonly strong: boolean;
}

function readClause({ matches, isQuestion }: Clause, isFirst: boolean): Signals {
  const silent = { no: false, wrong: false, again: false, strong: false };
  if (matches.some(({ kinds }) => kinds.has("innocent"))) return silent;
  const end = matches.findIndex((match) => isContent(match));
  const isPure = end < 0;
  const opening = isPure ? matches : matches.slice(0, end);
  const has = (...kinds: readonly (keyof Signals | "fails" | "retry" | "meant")[]): boolean =>
    opening.some((match) => kinds.some((kind) => match.kinds.has(kind as "fails")));
  return {
    no: isFirst && isPure && matches[0]?.kinds.has("no") === true,
    wrong: isPure && !isQuestion && has("wrong"),
    again: isPure && has("again"),
    strong: has("retry", "meant") || (!isQuestion && has("fails")),
  };
}

/** Says what a message tells about the answer before it. Takes bounded time, never throws. */
export function detectFeedback(
  previous: { readonly question: string; readonly answer: string },
  message: string,
): Feedback {
  const clauses = toClauses(message);
  const all = clauses.flatMap(({ matches }) => matches);
  const [first] = all;
  if (first === undefined) return { kind: "none" };
  const tokens = all.reduce((count, match) => count + match.tokens.length, 0);
  const isThankful = all.some(({ kinds }) => kinds.has("thanks"));
  const isAsked = asksBack(previous.answer);

  if (!(isAsked && first.kinds.has("yes"))) {
    const heard = tokens > longTokens ? clauses.slice(0, firstClauses) : clauses;
    const signals = heard.map((clause, at) => readClause(clause, at === 0));
    const isRejected = signals.some(
      ({ no, wrong, again, strong }) =>
        strong || wrong || (!isThankful && (again || (no && !isAsked))),
    );
    if (isRejected)
      return {
        kind: "rejected",
        how: all.some((match) => isContent(match)) ? "correction" : "retry",
      };
  }
  if (isAsked && tokens <= shortTokens && !isThankful && !/[?？؟]/u.test(message.slice(-200)))
    return { kind: "none" };
  if (!isThankful && !first.kinds.has("further") && isRephrased(previous.question, message))
    return { kind: "rejected", how: "rephrased" };
  return { kind: "accepted" };
}
