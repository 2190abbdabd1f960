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
const secrets = new WeakSet<object>();

/** Wraps `text`; from now on `redactSecrets` knows it. Texts under 6 characters are too common to redact. */
export function createSecret(text: string): Secret {
  if (text.length >= 6) {
    // A log line is JSON, in which quotes, backslashes and line ends look different; what it quotes may be JSON, too.
    const inJson = toJsonForm(text);
    for (const form of [text, inJson, toJsonForm(inJson)]) revealed.add(form);
  }
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
  for (const secret of revealed) {
    let open: Place | undefined;
    for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1)) {
      const end = at + secret.length;
      if (open !== undefined && at < open.end) open.end = end;
      else places.push((open = { start: at, end }));
    }
  }
  return places.length === 0 ? text : hide(text, places);
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
