import type { AnswerRecord } from "../domain/answer.ts";
import type { Turn } from "../domain/turn.ts";
import type { Intent } from "../routing/feedback/read-intent.ts";
import type { Route } from "../routing/router.ts";

/** A message that is to be answered. */
export type Wish = Exclude<Intent, { kind: "note" }>;

/** So much of a question is compared with what comes next. */
const maxAskedLength = 400;

/** The person's own words, by which another wording of them is known; preparers may have put anything in their place. */
export function toAsked(intent: Intent, prepared: string): string | undefined {
  const isAddition = intent.kind === "again" && !intent.isRephrased;
  if (isAddition) return intent.rejected.asked;
  const isOwn = intent.kind === "note" || intent.text === prepared;
  return isOwn ? undefined : intent.text.slice(0, maxAskedLength).toWellFormed();
}

/** Longer questions are not kept twice. */
const maxUnansweredLength = 16_384;
const maxLostFiles = 32;

const noAnswer = {
  model: "",
  task: "",
  features: "",
  tried: [],
  inputTokens: 0,
  outputTokens: 0,
  cost: 0,
  messageCount: 0,
};

/**
 * What is kept of a message that nobody answered, so that it can be tried again; `null` when it is too long for that. It
 * is kept as the person wrote it, since it will pass the preparers then. A rejected answer stays rejected: the next try
 * goes on from it. Without a `route` no model was asked.
 */
export function toOpenRecord(
  { id, message }: Turn,
  intent: Wish,
  route: Route | undefined,
): AnswerRecord | null {
  const { text, lostFiles = [] } = intent;
  if (text.length > maxUnansweredLength) return null;
  const files = message.files.map(({ name, mimeType, data }) => ({
    name,
    mimeType,
    size: data.byteLength,
  }));
  return {
    ...(intent.kind === "again" ? { ...intent.rejected, unansweredBy: id } : { ...noAnswer, id }),
    cause: route?.cause ?? "override",
    reason: route?.reason ?? "",
    chosen: route?.models[0]?.name ?? "",
    isJudged: true,
    unanswered: text,
    unansweredFiles: [...lostFiles, ...files].slice(-maxLostFiles),
  };
}
