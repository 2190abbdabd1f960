import { isPlainObject, parseInvoke, type InvokeStep } from "./parse-preparer-result.ts";

/** What a script works on. */
export interface ScriptText {
  /** The message, or the answer after the model. */
  readonly content: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** The content is in the format of the channel now. */
  readonly isFormatted?: boolean;
}

export type ScriptVerdict =
  | ({ readonly kind: "continue" } & ScriptText)
  | { readonly kind: "refuse"; readonly message: string }
  | { readonly kind: "invoke"; readonly steps: readonly InvokeStep[] };

const maxMetadataEntries = 64;
const maxMetadataLength = 4_096;
const refusedWithoutWords = "Your message was blocked by a rule of this installation.";

/**
 * Reads what the functions of a script returned: `drop` refuses with `reason`; `send_to_llm = false` refuses with
 * `message`, or starts the actions in `invoke`; otherwise `message` and `metadata` take the place of what was given.
 * After the model there is nothing left to keep from it, so `invoke` counts by itself, and `formatted` says that the text is
 * in the format of the channel.
 * @throws RangeError
 */
export function parseScriptVerdict(
  value: unknown,
  stage: "before" | "after",
  given: ScriptText,
): ScriptVerdict {
  if (!isPlainObject(value)) throw new RangeError("the script did not return a table");
  const { drop, reason, invoke, metadata } = value;
  const message = toText(value["message"], "message");
  if (drop === true) return { kind: "refuse", message: toWords(toText(reason, "reason")) };
  const endsTurn = value["send_to_llm"] === false;
  if (endsTurn || stage === "after") {
    const steps = parseInvoke(invoke);
    if (steps.length > 0) return { kind: "invoke", steps };
  }
  if (endsTurn) return { kind: "refuse", message: toWords(message) };
  return {
    kind: "continue",
    content: message ?? given.content,
    metadata: isPlainObject(metadata) ? toMetadata(metadata) : given.metadata,
    ...(stage === "after" && value["formatted"] === true ? { isFormatted: true } : {}),
  };
}

function toWords(text = ""): string {
  return text === "" ? refusedWithoutWords : text;
}

function toText(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  throw new RangeError(`\`${name}\` is not a text`);
}

function toMetadata(metadata: Record<string, unknown>): Readonly<Record<string, string>> {
  const entries = Object.entries(metadata).flatMap(([key, value]) =>
    ["string", "number", "boolean"].includes(typeof value)
      ? [[key, String(value).slice(0, maxMetadataLength)] as const]
      : [],
  );
  return Object.fromEntries(entries.slice(0, maxMetadataEntries));
}
