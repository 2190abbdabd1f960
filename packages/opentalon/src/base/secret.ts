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
    revealed.add(text);
    // A log line is JSON, in which quotes, backslashes and line ends look different.
    revealed.add(JSON.stringify(text).slice(1, -1));
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

/** Replaces every known secret text inside `text`. */
export function redactSecrets(text: string): string {
  let result = text;
  for (const secret of revealed) {
    if (result.includes(secret)) result = result.replaceAll(secret, shown);
  }
  return result;
}
