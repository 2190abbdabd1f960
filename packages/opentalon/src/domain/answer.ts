import type { HookRecord } from "./hook.ts";

/** What put a model first. */
export type RouteCause =
  /** The person asked for it with this message. */
  | "override"
  /** The person chose it for the conversation. */
  | "pin"
  /** The configuration sends this kind of task to it. */
  | "task-pin"
  /** An earlier answer to the same question was rejected. */
  | "escalation"
  /** What was learnt from earlier answers. */
  | "learnt"
  /** It has the largest weight. */
  | "weight"
  /** The configured order: primary, then fallbacks. */
  | "order";

/** How the newest answer of a conversation came about: what a rejection starts from, and what `/why` tells. */
export interface AnswerRecord {
  /** Of the turn that gave it; its row in the routing history has the same. */
  readonly id: string;
  /** `provider/model` that answered. */
  readonly model: string;
  readonly task: string;
  /** The question as numbers, see `encodeFeatures`; empty when routing had no choice. */
  readonly features: string;
  /** Models whose answers to the same question were rejected before, in that order. */
  readonly tried: readonly string[];
  readonly cause: RouteCause;
  /** Why the model came first, in a few words for people. */
  readonly reason: string;
  /** `provider/model` that came first; another one than `model` when that failed. */
  readonly chosen: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** USD. */
  readonly cost: number;
  /** How many of the conversation's newest messages belong to it: the question and all that followed. */
  readonly messageCount: number;
  /** Whether somebody has already said whether it was good. */
  readonly isJudged: boolean;
  /** Who asked, see `toActor`. Others who talk in the same conversation say nothing about the answer by talking on. */
  readonly askedBy?: string | undefined;
  /** What the person wrote, or the beginning of it, where preparers made something else of it. */
  readonly asked?: string | undefined;
  /** A message accepted before was written without having seen the answer. */
  readonly answeredAtMs?: number | undefined;
  /**
   * Set when nobody could answer: what the person wrote, in case they only say that it should be tried again. With a
   * `messageCount` the record is that of the rejected answer, which still stands, and this is what was said about it.
   */
  readonly unanswered?: string | undefined;
  /** The turn that could not, where the record is that of another one. */
  readonly unansweredBy?: string | undefined;
  /** Steps before or after the model that did something to the message or the answer; absent for none. */
  readonly hooks?: readonly HookRecord[] | undefined;
  /** What came along with it and was not kept. */
  readonly unansweredFiles?: readonly LostFile[] | undefined;
}

/** The name of a file whose bytes nobody has any more. */
export interface LostFile {
  readonly name: string;
  readonly mimeType: string;
  /** Bytes it had. */
  readonly size: number;
}

/** What a person's behaviour says about an answer. */
export interface AnswerSignal {
  /** Of the `AnswerRecord`. */
  readonly answerId: string;
  readonly accepted: boolean;
  /** 1 for a hint such as the next question, more for a deliberate act. */
  readonly weight: number;
}
