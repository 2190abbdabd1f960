/**
 * Gets: what a plugin said, and a call a model makes after it has read that. Gives: whether the call was asked for there.
 * Never: needs to know the syntax of the request. It looks for the name of the action and for each of the arguments, so
 * it does not matter which model's tool calls were imitated, nor whether the guard has taken them apart.
 */
import type { Tool } from "../../domain/tool.ts";
import { foldText } from "./fold-text.ts";

export interface SoughtCall {
  readonly tool: Pick<Tool, "plugin" | "action">;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** A text made ready for the search; making it is the expensive part. */
export interface SearchableText {
  readonly folded: string;
  /** The same with everything that separates parts of names as `_`. */
  readonly names: string;
  /** Letters and digits only, with a space wherever something else was: however it was wrapped, quoted or set in bold. */
  readonly words: string;
}

/** More arguments than these are not compared. */
const maxValues = 200;

export function toSearchableText(text: string): SearchableText {
  const folded = foldText(text).text.toLowerCase();
  return { folded, names: toNames(folded), words: toWords(folded) };
}

/**
 * Whether the texts together ask for the call: one may have the name and another an argument. What is true or false can
 * be asked for in too many ways to be compared, so it counts only where there is nothing else.
 */
export function isCallRequested(call: SoughtCall, texts: readonly SearchableText[]): boolean {
  const wanted = toValues(call.arguments);
  const telling = wanted.filter((value) => value !== "true" && value !== "false");
  const compared = telling.length > 0 ? telling : wanted;
  return (
    texts.some((text) => isNamed(call, text, wanted.length)) &&
    compared.every((value) =>
      texts.some((text) => holdsWhole(text.folded, value) || holdsWords(text, value)),
    )
  );
}

/** Whether one text has the whole call, with every argument as it is. */
export function isCallWritten(call: SoughtCall, text: SearchableText): boolean {
  const wanted = toValues(call.arguments);
  return (
    isNamed(call, text, wanted.length) && wanted.every((value) => holdsWhole(text.folded, value))
  );
}

function isNamed({ tool }: SoughtCall, { folded, names }: SearchableText, count: number): boolean {
  const full = toNames(`${tool.plugin}_${tool.action}`.toLowerCase());
  return (
    (count > 0 && holdsWhole(names, full)) ||
    looksCalled(folded, `${tool.plugin}__${tool.action}`) ||
    looksCalled(folded, tool.action, count === 0)
  );
}

function toWords(text: string): string {
  return text
    .replaceAll(/(?<=[0-9])[,_' ](?=[0-9]{3}(?![0-9]))/g, "")
    .replaceAll(/[^a-z0-9\u0080]+/g, " ");
}

function holdsWords({ words }: SearchableText, value: string): boolean {
  const sought = toWords(value).trim();
  return sought !== "" && holdsWhole(words, sought);
}

function toNames(text: string): string {
  return text.replaceAll(/[-_.:/ \n]+/g, "_");
}

/** Every text, number and truth value in the arguments, folded as the text is. */
function toValues(values: Readonly<Record<string, unknown>>): readonly string[] {
  const found: string[] = [];
  const collect = (value: unknown): void => {
    if (found.length >= maxValues) return;
    if (typeof value === "string") found.push(foldText(value).text.toLowerCase());
    else if (typeof value === "number" || typeof value === "boolean") found.push(String(value));
    else if (typeof value === "object" && value !== null)
      for (const inner of Object.values(value) as unknown[]) collect(inner);
  };
  collect(values);
  return found.filter((value) => value !== "");
}

/** Whether `part` stands in `text` and is not the middle of a longer word. */
function holdsWhole(text: string, part: string): boolean {
  const isInside = (one: string | undefined, other: string | undefined): boolean =>
    one !== undefined && other !== undefined && isLetter(one) && isLetter(other);
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) {
    const end = at + part.length;
    if (!isInside(text[at - 1], part[0]) && !isInside(part.at(-1), text[end])) return true;
  }
  return false;
}

function isLetter(character: string): boolean {
  return /[a-z0-9\u0080]/.test(character);
}

/**
 * Whether a name stands where calls have it: `"name": "send"`, `Action: send`, `functions.send`, and unless `isCode` may
 * explain it, `send(`, `send {`: a `list()` is no request of anything.
 */
function looksCalled(folded: string, name: string, isCode = false): boolean {
  const written = escapeName(name.toLowerCase());
  // Where the guard took a request apart there is a hyphen or a bracket now.
  const before = `(?:name|tool|action|function|functions|invoke|call|tool_?calls?)["'\\])>]{0,3}(?:[:=>.-] ?|["'(\\n])["'\\n]?`;
  const after = "[\"'\\])>]{0,3}\\n?[({<`]";
  const named = `${before}(?<![a-z0-9])${written}(?![a-z0-9])`;
  const pattern = isCode ? named : `${named}|(?<![a-z0-9])${written}${after}`;
  return new RegExp(pattern).test(folded);
}

/** A name as a pattern, in which `-` and `_` are the same. */
function escapeName(name: string): string {
  return name.replaceAll(/[^a-z0-9_-]/g, "\\$&").replaceAll(/[-_]+/g, "[-_.]+");
}
