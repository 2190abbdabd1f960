/**
 * Gets: a person's message and how the conversation's newest answer came about. Gives: what is wanted: an answer to
 * something new, another answer to the same question, or nothing but to take note.
 * Never: calls a model; reads more of a message than a bounded part.
 */
import type { AnswerRecord, AnswerSignal } from "../domain/answer.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { Session, TranscriptMessage } from "../domain/session.ts";
import { detectFeedback } from "./detect-feedback.ts";
import { readModelFlag } from "./read-model-flag.ts";
import { readSignal } from "./read-signal.ts";

export type Intent =
  | {
      readonly kind: "question";
      readonly text: string;
      /** As the person wrote it; empty when routing decides. */
      readonly model: string;
      readonly signals: readonly AnswerSignal[];
    }
  | {
      readonly kind: "again";
      /** What the person added, or said instead; empty for nothing but another try. */
      readonly text: string;
      /** Whether `text` is the question in other words, and not an addition to it. */
      readonly isRephrased: boolean;
      readonly model: string;
      readonly rejected: AnswerRecord;
      readonly signals: readonly AnswerSignal[];
    }
  /** Nothing to answer: a reaction to the newest answer, or to one that is no longer the newest. */
  | { readonly kind: "note"; readonly signals: readonly AnswerSignal[] };

export type Signal = "regenerate" | "rejected" | "accepted";

export interface IntentRequest {
  readonly message: Pick<InboundMessage, "content" | "files" | "metadata">;
  readonly session: Session;
  /** What a command stands for, such as `/retry`. */
  readonly command?: Signal | undefined;
}

/** How much an act counts that has no other meaning than to judge. */
const deliberate = 2;
const hint = 1;

/** Reads what a message wants. Never throws. */
export function readIntent({ message, session, command }: IntentRequest): Intent {
  const { text, model } = readModelFlag(message.content);
  const explicit = command ?? readSignal(message.metadata);
  const unanswered = session.lastAnswer?.unanswered;
  if (unanswered !== undefined) {
    const isAgain =
      explicit === "regenerate" ||
      (text.trim() === "" && model !== "") ||
      isRetry(unanswered, text, message.files.length);
    return { kind: "question", text: isAgain ? unanswered : text, model, signals: [] };
  }
  const last = findLast(session);

  if (last === undefined) {
    const hasContent = text.trim() !== "" || message.files.length > 0;
    return explicit !== undefined && (command !== undefined || !hasContent)
      ? { kind: "note", signals: [] }
      : { kind: "question", text, model, signals: [] };
  }
  const { record } = last;
  const judge = (accepted: boolean, weight: number): readonly AnswerSignal[] =>
    record.isJudged ? [] : [{ answerId: record.id, accepted, weight }];

  if (explicit === "accepted" && (command !== undefined || text.trim() === ""))
    return { kind: "note", signals: judge(true, deliberate) };
  if (explicit === "regenerate" || explicit === "rejected") {
    const own = command === undefined ? text : "";
    const again = { text: own, isRephrased: false, model, rejected: record };
    return { kind: "again", ...again, signals: judge(false, deliberate) };
  }
  if (text.trim() === "" && model !== "") {
    const again = { text: "", isRephrased: false, model, rejected: record };
    return { kind: "again", ...again, signals: judge(false, deliberate) };
  }

  const feedback = detectFeedback(last, text);
  switch (feedback.kind) {
    case "rejected": {
      const again = {
        text: feedback.how === "retry" && message.files.length === 0 ? "" : text,
        isRephrased: feedback.how === "rephrased",
        model,
        rejected: record,
      };
      return { kind: "again", ...again, signals: judge(false, hint) };
    }
    case "accepted":
      return { kind: "question", text, model, signals: judge(true, hint) };
    case "none":
      return { kind: "question", text, model, signals: [] };
  }
}

/** Whether a message after a question that nobody answered wants nothing but another try. */
function isRetry(question: string, text: string, fileCount: number): boolean {
  if (fileCount > 0) return false;
  const feedback = detectFeedback({ question, answer: "" }, text);
  return feedback.kind === "rejected" && feedback.how === "retry";
}

interface LastAnswer {
  readonly record: AnswerRecord;
  readonly question: string;
  readonly answer: string;
}

/** The newest answer with its question, when all of it is still in sight. */
function findLast({ lastAnswer, messages }: Session): LastAnswer | undefined {
  if (lastAnswer === undefined || lastAnswer.messageCount > messages.length) return undefined;
  const [question] = messages.slice(-lastAnswer.messageCount);
  const answer: TranscriptMessage | undefined = messages.at(-1);
  if (question?.role !== "user" || answer?.role !== "assistant") return undefined;
  return { record: lastAnswer, question: question.content, answer: answer.content };
}
