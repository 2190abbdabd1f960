/**
 * Gets: a person's message and how the conversation's newest answer came about. Gives: what is wanted: an answer to
 * something new, another answer to the same question, or nothing but to take note.
 * Never: calls a model; reads more of a message than a bounded part.
 */
import { toActor } from "../../domain/actor.ts";
import type { AnswerRecord, AnswerSignal, LostFile } from "../../domain/answer.ts";
import type { InboundMessage } from "../../domain/message.ts";
import type { Session, TranscriptMessage } from "../../domain/session.ts";
import { detectFeedback } from "./detect-feedback.ts";
import type { ReactionTarget } from "./find-reaction-target.ts";
import { readModelFlag } from "./read-model-flag.ts";
import { readSignal } from "./read-signal.ts";

export type Intent =
  | {
      readonly kind: "question";
      readonly text: string;
      /** As the person wrote it; empty when routing decides. */
      readonly model: string;
      readonly signals: readonly AnswerSignal[];
      /** What came along when it was asked before and is gone. */
      readonly lostFiles?: readonly LostFile[] | undefined;
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
      readonly lostFiles?: readonly LostFile[] | undefined;
    }
  /** Nothing to ask a model: a reaction to the newest answer, or to one that is no longer the newest. */
  | {
      readonly kind: "note";
      readonly signals: readonly AnswerSignal[];
      /** What the person is told; absent when a reaction needs no words. */
      readonly words?: string | undefined;
    };

export type Signal = "regenerate" | "rejected" | "accepted";

export interface IntentRequest {
  readonly message: Pick<InboundMessage, "content" | "files" | "metadata" | "channel" | "senderId">;
  readonly session: Session;
  /** What a command stands for, such as `/retry`. */
  readonly command?: Signal | undefined;
  /** What it is a reaction to, where that is not the newest answer. */
  readonly target?: ReactionTarget | undefined;
  /** When the message was stored; absent where that is not known. */
  readonly acceptedAtMs?: number | undefined;
}

const reactionKeys = ["signal", "reaction", "reaction_to"];

/** How much an act counts that has no other meaning than to judge. */
const deliberate = 2;
const hint = 1;

const tooFarBack =
  "That answer is too far back to be given again. Please put the question once more.";
const notTheNewest =
  "Only the newest answer can be given again. To ask about an earlier one, please put its question once more.";
const nothingToAsk =
  "There is no question before that could be asked again. Put yours behind the name of the model.";

/** Reads what a message wants. Never throws. */
export function readIntent(request: IntentRequest): Intent {
  const { message, session, command, target } = request;
  const flag = readModelFlag(message.content);
  const { model } = flag;
  const text = command !== undefined || flag.text.trim() === "" ? "" : flag.text;
  const explicit = command ?? readSignal(message.metadata);
  const isEmpty = text === "" && message.files.length === 0;
  // A reaction, also one that means nothing to us, or was taken back.
  const isReaction = isEmpty && reactionKeys.some((key) => message.metadata[key] !== undefined);
  const isAct = command !== undefined || isReaction;
  const said: Said = { text, model, explicit, isEmpty, isAct };

  if (target !== undefined && explicit !== undefined) return readElsewhere(said, explicit, target);
  const record = session.lastAnswer;
  if (record?.unanswered !== undefined) return readAfterFailure(request, said, record);
  const last = findLast(session);
  if (last !== undefined) return readAfterAnswer(request, said, last);
  const isOutOfSight = record !== undefined && isAct && explicit !== undefined;
  if (isOutOfSight) {
    const signals = judge(record, explicit === "accepted", deliberate);
    return { kind: "note", signals, words: explicit === "accepted" ? undefined : tooFarBack };
  }
  if (isAct) return { kind: "note", signals: [] };
  if (isEmpty && model !== "") return { kind: "note", signals: [], words: nothingToAsk };
  return { kind: "question", text, model, signals: [] };
}

/** A message, taken apart. */
interface Said {
  /** Without the name of a model; empty for a command. */
  readonly text: string;
  readonly model: string;
  readonly explicit: Signal | undefined;
  readonly isEmpty: boolean;
  /** Whether it is a command or a reaction, and so no question whatever else. */
  readonly isAct: boolean;
}

/**
 * A reaction to anything but the newest answer, which it leaves as it is. The history keeps the first
 * deliberate judgement of an answer, and knows no row for what was none.
 */
function readElsewhere({ text, model, isAct }: Said, said: Signal, target: ReactionTarget): Intent {
  const isJudgement = target.kind === "earlier" && said !== "regenerate";
  const accepted = said === "accepted";
  const signals = isJudgement ? [{ answerId: target.turnId, accepted, weight: deliberate }] : [];
  if (!isAct) return { kind: "question", text, model, signals };
  const isWish = target.kind === "earlier" && said === "regenerate";
  return { kind: "note", signals, words: isWish ? notTheNewest : undefined };
}

function readAfterAnswer(
  { message, acceptedAtMs }: IntentRequest,
  { text, model, explicit, isEmpty, isAct }: Said,
  last: LastAnswer,
): Intent {
  const { record } = last;
  const again = { kind: "again", text: "", isRephrased: false, model, rejected: record } as const;
  if (explicit === "accepted") {
    const signals = judge(record, true, deliberate);
    return isAct ? { kind: "note", signals } : { kind: "question", text, model, signals };
  }
  if (explicit !== undefined) return { ...again, text, signals: judge(record, false, deliberate) };
  if (isAct) return { kind: "note", signals: [] };
  if (isEmpty && model !== "") return { ...again, signals: judge(record, false, deliberate) };

  const question = { kind: "question", text, model, signals: [] } as const;
  const { askedBy, answeredAtMs } = record;
  const isUnseen =
    acceptedAtMs !== undefined && answeredAtMs !== undefined && acceptedAtMs < answeredAtMs;
  const isByOther = askedBy !== undefined && askedBy !== toActor(message);
  const feedback = detectFeedback(last, text);
  if (feedback.kind === "none") return question;
  if (feedback.kind === "accepted")
    return isUnseen || isByOther ? question : { ...question, signals: judge(record, true, hint) };
  const isRephrased = feedback.how === "rephrased";
  // Who has not seen the answer, or did not ask, puts a question of their own.
  if (isRephrased && (isUnseen || isByOther)) return question;
  const isBare = feedback.how === "retry" && message.files.length === 0;
  const signals = isUnseen ? [] : judge(record, false, hint);
  return { ...again, text: isBare ? "" : text, isRephrased, signals };
}

/** After a message that nobody could answer: it is tried again, or something else is asked. */
function readAfterFailure(
  { message, session }: IntentRequest,
  { text, model, explicit, isEmpty, isAct }: Said,
  { unanswered = "", unansweredFiles: lostFiles, unansweredBy: _, ...record }: AnswerRecord,
): Intent {
  const isAgain =
    (isAct && (explicit === "regenerate" || explicit === "rejected")) ||
    (isEmpty && model !== "") ||
    isRetry(unanswered, text, message.files.length);
  if (!isAgain)
    return isAct ? { kind: "note", signals: [] } : { kind: "question", text, model, signals: [] };
  if (record.messageCount === 0)
    return { kind: "question", text: unanswered, model, signals: [], lostFiles };
  const last = findLast({ ...session, lastAnswer: record });
  if (last === undefined) return { kind: "note", signals: [], words: tooFarBack };
  const feedback = detectFeedback(last, unanswered);
  const isRephrased = feedback.kind === "rejected" && feedback.how === "rephrased";
  const again = { text: unanswered, isRephrased, model, rejected: record, lostFiles };
  return { kind: "again", ...again, signals: [] };
}

/** Whether a message after a question that nobody answered wants nothing but another try. */
function isRetry(question: string, text: string, fileCount: number): boolean {
  if (fileCount > 0) return false;
  const feedback = detectFeedback({ question, answer: "" }, text);
  return feedback.kind === "rejected" && feedback.how === "retry";
}

/** Nothing is learnt of an answer that was judged before, or that only one model could have given. */
function judge(
  { id, isJudged, features }: AnswerRecord,
  accepted: boolean,
  weight: number,
): readonly AnswerSignal[] {
  return isJudged || features === "" ? [] : [{ answerId: id, accepted, weight }];
}

interface LastAnswer {
  readonly record: AnswerRecord;
  readonly question: string;
  readonly answer: string;
}

/** The newest answer with its question, when all of it is still in sight. */
function findLast({ lastAnswer, messages }: Session): LastAnswer | undefined {
  if (lastAnswer === undefined || lastAnswer.messageCount === 0) return undefined;
  if (lastAnswer.messageCount > messages.length) return undefined;
  const [question] = messages.slice(-lastAnswer.messageCount);
  const answer: TranscriptMessage | undefined = messages.at(-1);
  if (question?.role !== "user" || answer?.role !== "assistant") return undefined;
  const asked = lastAnswer.asked ?? question.content;
  return { record: lastAnswer, question: asked, answer: answer.content };
}
