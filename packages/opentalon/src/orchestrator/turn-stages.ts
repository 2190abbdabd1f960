import type { AgentRun } from "../agent/run-agent.ts";
import type { Log } from "../base/log.ts";
import type { AnswerRecord } from "../domain/answer.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { Model, ModelReply } from "../domain/model.ts";
import type { Session, TranscriptFile, TranscriptMessage } from "../domain/session.ts";
import type { StepJournal } from "../domain/step-journal.ts";
import type { Turn, TurnObserver } from "../domain/turn.ts";
import type { UsageRow } from "../domain/usage.ts";
import type { FormatOutcome } from "../hooks/run-formatters.ts";
import type { PrepareOutcome } from "../hooks/run-preparers.ts";
import type { CommandOutcome } from "../inbound/run-command.ts";
import type { Intent, Signal } from "../routing/feedback/read-intent.ts";
import type { Route } from "../routing/router.ts";
import type { Delivery, TurnCommit } from "../store/ports.ts";
import type { HookNotes } from "./hook-notes.ts";

/** What the agent needs to know of the turn it answers. */
export interface AnswerRequest {
  readonly turn: Turn;
  readonly session: Session;
  /** What the model is shown of the conversation. */
  readonly history: readonly TranscriptMessage[];
  readonly text: string;
  readonly files: readonly TranscriptFile[];
  readonly route: Route;
  readonly journal: StepJournal;
  readonly recordFinalReply: boolean;
  readonly onReply: (reply: ModelReply) => void;
  readonly onMessages: (messages: readonly TranscriptMessage[]) => void;
  readonly signal: AbortSignal;
}

export interface TurnStages {
  readonly loadSession: (turn: Turn) => Promise<Session>;
  /** The journal of the turn, with the steps of earlier attempts. */
  readonly openJournal: (turn: Turn) => Promise<StepJournal>;
  readonly runCommand: (
    message: InboundMessage,
    session: Session,
  ) => CommandOutcome | undefined | Promise<CommandOutcome | undefined>;
  /** What the message wants: an answer, another answer, or nothing but to take note. */
  readonly readIntent: (turn: Turn, session: Session, command?: Signal) => Intent | Promise<Intent>;
  readonly prepare: (
    turn: Turn,
    text: string,
    journal: StepJournal,
    signal: AbortSignal,
    session: Session,
  ) => Promise<PrepareOutcome>;
  /** Whether `prepare` does anything; if not, its outcome needs no journal entry. */
  readonly hasPreparers: boolean;
  readonly hasModel: (name: string) => boolean;
  readonly rank: (question: RoutedQuestion) => Promise<RankedQuestion>;
  readonly answer: (request: AnswerRequest) => Promise<AgentRun>;
  readonly format: (
    turn: Turn,
    text: string,
    journal: StepJournal,
    signal: AbortSignal,
  ) => Promise<FormatOutcome>;
  readonly hasFormatters: boolean;
  /** Words of ours in the format of the turn's channel, to stand below an answer that formatters have written. */
  readonly formatWords?: (turn: Turn, words: string) => string;
  readonly toUsageRow: (turn: Turn, reply: ModelReply) => UsageRow;
  /** What the turn adds to the history that routing learns from. */
  readonly toRouting: (answer: AnswerRecord, question: RankedQuestion) => RoutingChange;
  /** Somebody's judgement of an answer is on disk now. */
  readonly onJudged: () => void;
  /** What hooks did in the turn so far; absent where nobody keeps it. */
  readonly notesOf?: (turn: Turn) => HookNotes;
  /** What the person should know beside the answer; the conversation does not keep it. */
  readonly findNotices?: (turn: Turn) => Promise<readonly string[]>;
  readonly commit: (commit: TurnCommit) => Promise<Delivery | undefined>;
  readonly deliver: (delivery: Delivery) => void;
  readonly observe: TurnObserver;
  readonly createReference: () => string;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  readonly log: Log;
}

/** What routing has to know of a question. */
export interface RoutedQuestion {
  readonly turnId: string;
  readonly session: Session;
  readonly text: string;
  /** Number of messages so far, the question included. */
  readonly depth: number;
  /** Name of a model the person wants for this message; empty for none. */
  readonly model: string;
  readonly tried: readonly string[];
}

export interface RankedQuestion extends RoutedQuestion {
  readonly route: Route;
  readonly task: string;
  /** See `AnswerRecord`. */
  readonly features: string;
  /** What routing would have chosen where the person chose; `undefined` when there was nothing to choose. */
  readonly proposed?: Model | undefined;
}

/** Rows for the routing history, and judgements that follow from how the model was chosen. */
export type RoutingChange = Required<Pick<TurnCommit, "answers" | "signals">>;
