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
 * turn (with `message`, or with `invoke` steps); a JSON object with `message` replaces it by that.
 */
export function parsePreparerResult(content: string): PreparerVerdict {
  const parsed = parseObject(content);
  if (parsed === undefined) return { kind: "replace", content };
  const message = typeof parsed["message"] === "string" ? parsed["message"] : undefined;
  if (parsed["send_to_llm"] === false) {
    const steps = parseInvoke(parsed["invoke"]);
    if (steps.length > 0) return { kind: "invoke", steps };
    return {
      kind: "refuse",
      message: message ?? (content.trim() === "" ? refusedWithoutWords : content),
    };
  }
  return { kind: "replace", content: message ?? content };
}

function parseInvoke(value: unknown): readonly InvokeStep[] {
  const entries = Array.isArray(value) ? value.slice(0, maxInvokeSteps) : [value];
  return entries.flatMap((entry: unknown) => {
    if (!isObject(entry)) return [];
    const { plugin, action, args } = entry;
    if (typeof plugin !== "string" || typeof action !== "string" || plugin === "" || action === "")
      return [];
    const texts = isObject(args)
      ? Object.entries(args).filter(([, text]) => typeof text === "string")
      : [];
    return [{ plugin, action, arguments: Object.fromEntries(texts) as Record<string, string> }];
  });
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
