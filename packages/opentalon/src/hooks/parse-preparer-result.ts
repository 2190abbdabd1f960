/** One action a trusted preparer wants run. */
export interface InvokeStep {
  readonly plugin: string;
  readonly action: string;
  readonly arguments: Readonly<Record<string, string>>;
}

export type PreparerVerdict =
  | { readonly kind: "replace"; readonly content: string }
  | { readonly kind: "refuse"; readonly message: string }
  | { readonly kind: "invoke"; readonly steps: readonly InvokeStep[] };

const maxInvokeSteps = 16;
const refusedWithoutWords = "Your message was blocked by a rule of this installation.";

/**
 * Reads what a preparer returned: plain text replaces the message; a JSON object with `send_to_llm: false` ends the
 * turn (with `message`, or with `invoke` steps); a JSON object with `message` replaces it by that. Other members, such
 * as the lists of what a search found, mean nothing here; blocks of knowledge are taken out of the text.
 */
export function parsePreparerResult(content: string, given: string): PreparerVerdict {
  // A hook that gives a message back as it came has decided nothing, even if a person wrote what looks like a verdict.
  if (content.trim() === given.trim())
    return { kind: "replace", content: withoutKnowledge(content) };
  const parsed = parseObject(content);
  if (parsed === undefined) return { kind: "replace", content: withoutKnowledge(content) };
  const message = typeof parsed["message"] === "string" ? parsed["message"] : undefined;
  if (parsed["send_to_llm"] === false) {
    const steps = parseInvoke(parsed["invoke"]);
    if (steps.length > 0) return { kind: "invoke", steps };
    return {
      kind: "refuse",
      message: message?.trim() === "" ? refusedWithoutWords : (message ?? content),
    };
  }
  return { kind: "replace", content: withoutKnowledge(message ?? content) };
}

const knowledgeStart = /\[knowledge_context(?:\s[^\]\n]{0,1000})?\]/gi;
const knowledgeEnd = /\[\/knowledge_context\]/gi;

/**
 * Articles reach a model only when it asks for them, so what a preparer put in front is taken out again. Blocks do not
 * nest; one without an end stays.
 */
function withoutKnowledge(content: string): string {
  let kept = "";
  let position = 0;
  for (;;) {
    knowledgeStart.lastIndex = position;
    const start = knowledgeStart.exec(content);
    if (start === null) break;
    knowledgeEnd.lastIndex = start.index;
    const end = knowledgeEnd.exec(content);
    if (end === null) break;
    kept += content.slice(position, start.index);
    position = end.index + end[0].length;
  }
  return position === 0 ? content : `${kept}${content.slice(position)}`.trim();
}

/** The steps in `invoke`: one or a list; what is no step is left out. */
export function parseInvoke(value: unknown): readonly InvokeStep[] {
  const entries = Array.isArray(value) ? value.slice(0, maxInvokeSteps) : [value];
  return entries.flatMap((entry: unknown) => {
    if (!isPlainObject(entry)) return [];
    const { plugin, action, args } = entry;
    if (typeof plugin !== "string" || typeof action !== "string" || plugin === "" || action === "")
      return [];
    const texts = isPlainObject(args)
      ? Object.entries(args).filter(([, text]) => typeof text === "string")
      : [];
    return [{ plugin, action, arguments: Object.fromEntries(texts) as Record<string, string> }];
  });
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isPlainObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
