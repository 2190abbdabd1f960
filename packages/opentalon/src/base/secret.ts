import { inspect } from "node:util";

const shown = "[secret]";

/**
 * A value that never prints, never serialises and is removed from every log line.
 * `reveal` is the only way to the text; call it where the text leaves the process and nowhere else.
 */
export interface Secret {
  readonly reveal: () => string;
  readonly toString: () => string;
  readonly toJSON: () => string;
}

const revealed = new Set<string>();
/** The forms of those that are replaced again and again, the newest last. */
const passing = new Map<string, readonly string[]>();
const secrets = new WeakSet<object>();

/** Those in use at one time are far fewer. */
const maxPassing = 256;
/** Texts that are shorter are too common to redact. */
const leastLength = 6;

/** Wraps `text`; from now on `redactSecrets` knows it. Texts under 6 characters are too common to redact. */
export function createSecret(text: string): Secret {
  if (text.length >= leastLength) for (const form of toForms(text)) revealed.add(form);
  return wrap(text);
}

/** A secret of short life, as access tokens are: `redactSecrets` forgets it after some hundred newer ones. */
export function createPassingSecret(text: string): Secret {
  if (text.length >= leastLength) {
    passing.delete(text);
    passing.set(text, toForms(text));
    const oldest = passing.keys().next();
    if (passing.size > maxPassing && oldest.done !== true) passing.delete(oldest.value);
  }
  return wrap(text);
}

/** A log line is JSON, in which quotes, backslashes and line ends look different; what it quotes may be JSON, too. */
function toForms(text: string): readonly string[] {
  const inJson = toJsonForm(text);
  return [...new Set([text, inJson, toJsonForm(inJson)])];
}

function wrap(text: string): Secret {
  const secret = {
    reveal: () => text,
    toString: () => shown,
    toJSON: () => shown,
    [inspect.custom]: () => shown,
  };
  secrets.add(secret);
  return Object.freeze(secret);
}

export function isSecret(value: unknown): value is Secret {
  return typeof value === "object" && value !== null && secrets.has(value);
}

/** Replaces every known secret text inside `text`; those that overlap as one. */
export function redactSecrets(text: string): string {
  const places: Place[] = [];
  for (const form of revealed) findPlaces(text, form, places);
  for (const forms of passing.values()) for (const form of forms) findPlaces(text, form, places);
  return places.length === 0 ? text : hide(text, places);
}

function findPlaces(text: string, secret: string, places: Place[]): void {
  let open: Place | undefined;
  for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1)) {
    const end = at + secret.length;
    if (open !== undefined && at < open.end) open.end = end;
    else places.push((open = { start: at, end }));
  }
}

interface Place {
  readonly start: number;
  end: number;
}

function hide(text: string, places: readonly Place[]): string {
  let result = "";
  let copied = 0;
  let hiddenEnd = -1;
  for (const { start, end } of places.toSorted((one, other) => one.start - other.start)) {
    if (start >= hiddenEnd) {
      result += text.slice(copied, start) + shown;
      hiddenEnd = end;
    }
    hiddenEnd = Math.max(hiddenEnd, end);
    copied = hiddenEnd;
  }
  return result + text.slice(copied);
}

function toJsonForm(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
