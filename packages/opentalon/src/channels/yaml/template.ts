import { toText } from "./field-path.ts";

/** Text of a definition with `{{namespace.key}}` in it. */
export interface Template {
  readonly text: string;
  /** Literal text and placeholders in turn. */
  readonly parts: readonly (string | Placeholder)[];
}

export interface Placeholder {
  readonly namespace: string;
  readonly key: string;
}

/** What placeholders stand for: by namespace, a look-up of keys. What is missing is empty. */
export type Scope = Readonly<Partial<Record<string, (key: string) => unknown>>>;

/** Never fails: what is no placeholder is literal text. */
export function parseTemplate(text: string): Template {
  const parts: (string | Placeholder)[] = [];
  let end = 0;
  for (const match of text.matchAll(/\{\{(\w+)\.([^}]*)\}\}/g)) {
    const [whole, namespace = "", key = ""] = match;
    if (match.index > end) parts.push(text.slice(end, match.index));
    parts.push({ namespace, key });
    end = match.index + whole.length;
  }
  if (end < text.length) parts.push(text.slice(end));
  return { text, parts };
}

export function isLiteral({ parts }: Template): boolean {
  return parts.every((part) => typeof part === "string");
}

export function findValue({ namespace, key }: Placeholder, scope: Scope): string {
  return toText(Object.hasOwn(scope, namespace) ? scope[namespace]?.(key) : undefined);
}

/** The text with every value passed through `escape`, which by default leaves it as it is. */
export function renderText(
  { parts }: Template,
  scope: Scope,
  escape: (value: string, placeholder: Placeholder) => string = (value) => value,
): string {
  let text = "";
  for (const part of parts) {
    text += typeof part === "string" ? part : escape(findValue(part, scope), part);
  }
  return text;
}

/** The text, or `undefined` when it has placeholders and every one of them is empty. */
export function renderKnown(template: Template, scope: Scope): string | undefined {
  let hasValue = isLiteral(template);
  const text = renderText(template, scope, (value) => {
    hasValue ||= value !== "";
    return value;
  });
  return hasValue && text !== "" ? text : undefined;
}
