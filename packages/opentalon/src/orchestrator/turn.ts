/**
 * Gets: one message from the inbox. Gives: one committed answer.
 * Never: skips the commit, and never commits twice: what fails is explained to the person, what is interrupted goes on
 * from the journal.
 *
 * This file spells the order in which a message passes the stages; each stage is handed in.
 */
import { BudgetError, StoreError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { AgentRun } from "../agent/run-agent.ts";
import type { FormatOutcome } from "../hooks/run-formatters.ts";
import type { PrepareOutcome } from "../hooks/run-preparers.ts";
import type { CommandOutcome } from "../inbound/run-command.ts";
import type { Intent, Signal } from "../routing/feedback/read-intent.ts";
import type { Route } from "../routing/router.ts";
import type { Delivery, SessionChange, TurnCommit } from "../store/ports.ts";
import { toActor } from "../domain/actor.ts";
import type { AnswerRecord } from "../domain/answer.ts";
import type { InboundMessage, OutboundMessage } from "../domain/message.ts";
import type { Model, ModelReply } from "../domain/model.ts";
import type { Session, TranscriptFile, TranscriptMessage } from "../domain/session.ts";
import type { StepJournal } from "../domain/step-journal.ts";
import type { Reply, Turn, TurnObserver } from "../domain/turn.ts";
import type { UsageRow } from "../domain/usage.ts";
import { askConsent } from "./ask-consent.ts";
import { describeFailure, explainFailure, type TurnFailure } from "./explain-error.ts";
import {
  type HookNotes,
  noNotes,
  privateMetadata,
  toHooks,
  toRefusal,
  withChanges,
  withMetadata,
} from "./hook-notes.ts";
import { toAsked, toOpenRecord, type Wish } from "./open-question.ts";
import {
  planAnotherAnswer,
  planObjection,
  planQuestion,
  toQuestionText,
  type QuestionPlan,
} from "./plan-question.ts";

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
  readonly readIntent: (turn: Turn, session: Session, command?: Signal) => Intent;
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

/** The reply for the place the message came from; `in_reply_to` names the message, the rest of its metadata goes back with it. */
function toOutboundMessage({ message }: Turn, { content, metadata }: Reply): OutboundMessage {
  const { channel, conversationId, threadId, platformMessageId } = message;
  const returned = Object.entries(message.metadata).filter(([key]) => !privateMetadata.has(key));
  return {
    channel,
    conversationId,
    threadId,
    content,
    files: [],
    metadata: { ...Object.fromEntries(returned), ...metadata, in_reply_to: platformMessageId },
  };
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

interface Produced {
  /** `undefined` when there is nothing to say. */
  readonly reply: Reply | undefined;
  readonly session: SessionChange;
  readonly outcome: "answered" | "refused" | "failed";
  readonly answers?: TurnCommit["answers"];
  readonly signals?: TurnCommit["signals"];
}

/** How often a turn that was taken over may be interrupted again before its message is answered with a failure. */
const maxInterruptions = 4;

/**
 * Takes one message through all stages.
 * Rejects only when nothing could be committed: aborted, or the store failed. The message then stays in the inbox.
 */
export async function runTurn(turn: Turn, stages: TurnStages, signal: AbortSignal): Promise<void> {
  stages.observe(turn, { kind: "turn-started" });
  let outcome: Produced["outcome"] = "failed";
  try {
    const paid: ModelReply[] = [];
    const produced = await withNotices(
      turn,
      await produceReply(turn, stages, paid, signal),
      stages,
    );
    const delivery = await commit(turn, produced, paid, stages, signal);
    if (delivery !== undefined) stages.deliver(delivery);
    if (produced.signals !== undefined && produced.signals.length > 0) stages.onJudged();
    outcome = produced.outcome;
  } finally {
    stages.observe(turn, { kind: "turn-finished", outcome });
  }
}

/** Notices follow the answer, apart from it, and stand in its metadata for programs. */
async function withNotices(
  turn: Turn,
  produced: Produced,
  { findNotices, log }: TurnStages,
): Promise<Produced> {
  const { reply, outcome } = produced;
  if (findNotices === undefined || reply === undefined || outcome !== "answered") return produced;
  try {
    const notices = await findNotices(turn);
    if (notices.length === 0) return produced;
    const notice = notices.join("\n");
    const content = `${reply.content}\n\n(${notice})`;
    return { ...produced, reply: { content, metadata: { ...reply.metadata, notice } } };
  } catch (error) {
    log.warn({ trace: turn.id, err: error }, "an answer goes out without its notices");
    return produced;
  }
}

/** Commits the turn; when the store refuses what is in it, at least the person hears that it failed. */
async function commit(
  turn: Turn,
  { reply, session, answers, signals }: Produced,
  paid: readonly ModelReply[],
  stages: TurnStages,
  signal: AbortSignal,
): Promise<Delivery | undefined> {
  const { replies } = toNotes(turn, stages);
  try {
    return await stages.commit({
      entry: turn,
      reply: reply === undefined ? undefined : toOutboundMessage(turn, reply),
      session,
      usage: [...paid, ...replies].map((each) => stages.toUsageRow(turn, each)),
      answers,
      signals,
    });
  } catch (error) {
    if (signal.aborted || (error instanceof StoreError && error.code === "STORE_FENCED"))
      throw error;
    const failed = fail(turn, { kind: "error", error }, stages, []);
    const words = failed.reply === undefined ? undefined : toOutboundMessage(turn, failed.reply);
    return stages.commit({ entry: turn, reply: words, session: failed.session, usage: [] });
  }
}

async function produceReply(
  turn: Turn,
  stages: TurnStages,
  paid: ModelReply[],
  signal: AbortSignal,
): Promise<Produced> {
  try {
    const interruptions = turn.attempt === 1 ? 0 : await countInterruptions(turn, stages);
    if (interruptions > maxInterruptions) {
      return fail(turn, { kind: "interrupted", attempts: interruptions }, stages, []);
    }
    const session = await stages.loadSession(turn);

    const command = await stages.runCommand(turn.message, session);
    if (command !== undefined && command.wants === undefined) return fromCommand(command);
    const intent = stages.readIntent(turn, session, command?.wants);
    if (intent.kind === "note") return takeNote(session, intent, command?.text);
    if (intent.model !== "" && !stages.hasModel(intent.model)) return refuseModel(turn, intent);

    const journal = await stages.openJournal(turn);
    const prepared = await prepareOnce(turn, session, intent, stages, journal, signal);
    if (prepared.kind === "answer") {
      const { content, metadata } = prepared;
      const session = { appended: [], lastAnswer: toRefusal(turn, toNotes(turn, stages)) };
      return { reply: { content, metadata }, session, outcome: "refused", signals: intent.signals };
    }
    const informed = withMetadata(turn, prepared.metadata);

    const planned = await planAnswer(turn, session, intent, prepared, stages);
    const { plan } = planned;
    const question = goOn(planned.question, journal);
    const run = await stages.answer({
      turn: informed,
      session,
      history: plan.history,
      text: plan.userText,
      files: plan.userFiles,
      route: question.route,
      journal,
      recordFinalReply: stages.hasFormatters,
      onReply: (reply) => paid.push(reply),
      signal,
    });
    const made = await fromAgentRun(informed, run, stages, journal, signal);
    const reply = made.reply && withChanges(made.reply, turn, prepared.metadata);
    const produced = { ...made, reply };
    if (produced.outcome === "failed") return leaveOpen(turn, produced, intent, question.route);
    if (produced.outcome !== "answered") {
      const { signals } = intent;
      const lastAnswer = toRefusal(turn, toNotes(turn, stages));
      return { ...produced, session: { ...produced.session, lastAnswer }, signals };
    }
    return { ...produced, ...remember(turn, run, { plan, question, intent, paid }, stages) };
  } catch (error) {
    // An aborted turn goes on after the restart, and one that was taken over goes on elsewhere.
    const isFenced = error instanceof StoreError && error.code === "STORE_FENCED";
    if (isFenced || signal.aborted) throw error;
    return fail(turn, { kind: "error", error }, stages, []);
  }
}

/**
 * How often this turn was under way when the program ended, and notes that it is under way again. A message that was
 * merely waiting then does not count: only the turn itself may be what takes the program down.
 */
async function countInterruptions(turn: Turn, stages: TurnStages): Promise<number> {
  const journal = await stages.openJournal(turn);
  const isUnderWay = (attempt: number): boolean => journal.find(`attempt:${attempt}`) !== undefined;
  const earlier = Array.from({ length: turn.attempt - 1 }, (_, index) => index + 1);
  await journal.begin(`attempt:${turn.attempt}`);
  return earlier.filter(isUnderWay).length;
}

/** A question passes the preparers once, as it was put; asking for another answer adds nothing they should see. */
async function prepareOnce(
  turn: Turn,
  session: Session,
  { kind, text }: Wish,
  stages: TurnStages,
  journal: StepJournal,
  signal: AbortSignal,
): Promise<PrepareOutcome> {
  const isBare = kind === "again" && text === "";
  if (!stages.hasPreparers || isBare) return { kind: "continue", content: text };
  const earlier = journal.find("prepare");
  if (earlier?.state === "recorded") return earlier.value as PrepareOutcome;
  const outcome = await stages.prepare(turn, text, journal, signal, session);
  // An answer is committed right away; only a text the model is about to see must survive a crash unchanged.
  if (outcome.kind === "continue") await journal.record("prepare", outcome);
  return outcome;
}

/** The model that had answered a first round before the turn was interrupted goes on with it. */
function goOn(question: RankedQuestion, journal: StepJournal): RankedQuestion {
  const begun = journal.find("model:1");
  if (begun?.state !== "recorded") return question;
  const { model } = begun.value as Partial<ModelReply>;
  const { models } = question.route;
  const first = models.find(({ name }) => name === model);
  if (first === undefined || first === models[0]) return question;
  const others = models.filter((other) => other !== first);
  const reason = "it had begun when OpenTalon was interrupted";
  return { ...question, route: { ...question.route, models: [first, ...others], reason } };
}

interface PlannedAnswer {
  readonly plan: QuestionPlan;
  readonly question: RankedQuestion;
}

/** Who is asked what: a rejected answer gives the same question to the next model. */
async function planAnswer(
  turn: Turn,
  session: Session,
  intent: Wish,
  { content: text, transcribed = [] }: Extract<PrepareOutcome, { kind: "continue" }>,
  stages: TurnStages,
): Promise<PlannedAnswer> {
  const { model, lostFiles = [] } = intent;
  const shown = turn.message.files.filter((_, index) => !transcribed.includes(index));
  const files = [...lostFiles, ...shown];
  const known = session.messages.length;
  if (intent.kind === "question") {
    const asked = { turnId: turn.id, session, text, depth: known + 1, model, tried: [] };
    return { plan: planQuestion(session, text, files), question: await stages.rank(asked) };
  }
  const { rejected } = intent;
  const rejection = { ...intent, text };
  const tried = [...new Set([...rejected.tried, rejected.model])];
  const question = await stages.rank({
    turnId: turn.id,
    session,
    text: toQuestionText(session, rejection),
    depth: known - rejected.messageCount + 1,
    model,
    tried,
  });
  const [first] = question.route.models;
  const isFresh = first !== undefined && !tried.includes(first.name);
  const plan = isFresh
    ? planAnotherAnswer(session, rejection, files)
    : planObjection(session, rejection, files);
  return { plan, question };
}

interface AnsweredQuestion extends PlannedAnswer {
  readonly intent: Intent;
  readonly paid: readonly ModelReply[];
}

/** What stays of an answered question: its messages, how it came about, and what routing may learn from it. */
function remember(
  turn: Turn,
  { messages }: AgentRun,
  { plan, question, intent, paid }: AnsweredQuestion,
  stages: TurnStages,
): Pick<Produced, "session" | "answers" | "signals"> {
  const { dropped, appended, messageCount } = plan.keep(messages);
  const { route, task, features, tried } = question;
  const rows = paid.map((reply) => stages.toUsageRow(turn, reply));
  const sum = (read: (row: UsageRow) => number): number =>
    rows.reduce((total, row) => total + read(row), 0);
  const chosen = route.models[0]?.name ?? "";
  const lastAnswer: AnswerRecord = {
    id: turn.id,
    model: paid.at(-1)?.model ?? chosen,
    task,
    features,
    tried,
    cause: route.cause,
    reason: route.reason,
    chosen,
    inputTokens: sum((row) => row.inputTokens),
    outputTokens: sum((row) => row.outputTokens),
    cost: sum((row) => row.inputCost + row.outputCost),
    messageCount,
    isJudged: false,
    askedBy: toActor(turn.message),
    asked: toAsked(intent, plan.userText),
    answeredAtMs: stages.now(),
    ...toHooks(toNotes(turn, stages)),
  };
  const { answers, signals } = stages.toRouting(lastAnswer, question);
  return {
    session: { dropped, appended, lastAnswer },
    answers,
    signals: [...intent.signals, ...signals],
  };
}

function toNotes(turn: Turn, { notesOf }: TurnStages): HookNotes {
  return notesOf?.(turn) ?? noNotes;
}

function refuseModel(turn: Turn, intent: Wish): Produced {
  const content = `There is no model "${intent.model}", so nothing was asked. /model lists them.`;
  const reply = { content, metadata: { type: "system" } };
  return leaveOpen(turn, { reply, session: { appended: [] }, outcome: "refused" }, intent);
}

/** What was not answered can be tried again without being repeated, unless tools have already acted on it. */
function leaveOpen(turn: Turn, produced: Produced, intent: Wish, route?: Route): Produced {
  const { session } = produced;
  const { signals } = intent;
  const lastAnswer = session.appended.length > 0 ? null : toOpenRecord(turn, intent, route);
  return { ...produced, session: { ...session, lastAnswer }, signals };
}

/** Nothing to ask a model: what was said about an answer is noted. */
function takeNote(
  { lastAnswer }: Session,
  { signals, words }: Extract<Intent, { kind: "note" }>,
  text = "",
): Produced {
  const content = words ?? text;
  const isNew = lastAnswer !== undefined && signals.length > 0;
  return {
    reply: content === "" ? undefined : { content, metadata: { type: "system" } },
    session: { appended: [], lastAnswer: isNew ? { ...lastAnswer, isJudged: true } : undefined },
    outcome: "answered",
    signals,
  };
}

async function fromAgentRun(
  turn: Turn,
  run: AgentRun,
  stages: TurnStages,
  journal: StepJournal,
  signal: AbortSignal,
): Promise<Produced> {
  const { outcome, messages } = run;
  switch (outcome.kind) {
    case "answered": {
      const formatted = await stages.format(turn, outcome.text, journal, signal);
      if (formatted.kind === "failed") {
        return fail(turn, { ...formatted, kind: "formatter-failed" }, stages, messages);
      }
      return {
        reply: askConsent(
          { content: formatted.text, metadata: formatted.metadata ?? {} },
          messages,
        ),
        session: { appended: messages },
        outcome: "answered",
      };
    }
    case "refused": {
      const { content, metadata } = outcome;
      return {
        reply: { content, metadata },
        session: rememberTools(messages, content),
        outcome: "refused",
      };
    }
    case "empty":
      return fail(turn, { kind: "empty-reply" }, stages, messages.slice(0, -1));
    case "too-many-rounds":
      return fail(turn, outcome, stages, messages);
    case "failed":
      return fail(turn, { kind: "error", error: outcome.error }, stages, messages);
  }
}

function fromCommand(outcome: CommandOutcome): Produced {
  const { text, action, clearsSession, pinnedModel, signals } = outcome;
  return {
    reply: { content: text, metadata: { type: "system", action } },
    session: {
      appended: [],
      cleared: clearsSession,
      pinnedModel,
      lastAnswer: clearsSession ? null : undefined,
    },
    outcome: "answered",
    signals,
  };
}

/** The person gets words and a reference; the cause stands in the log under the same reference. */
function fail(
  turn: Turn,
  failure: TurnFailure,
  stages: TurnStages,
  messages: readonly TranscriptMessage[],
): Produced {
  const reference = stages.createReference();
  const reply = explainFailure(failure, reference);
  const err = failure.kind === "error" ? failure.error : undefined;
  const trace = turn.id;
  // A budget that is used up does what the operator wants of it.
  if (err instanceof BudgetError)
    stages.log.warn({ trace, reference, code: err.code }, err.message);
  else stages.log.error({ trace, reference, err }, `a turn failed: ${describeFailure(failure)}`);
  return { reply, session: rememberTools(messages, reply.content), outcome: "failed" };
}

/**
 * A turn without an answer is remembered only if tools ran in it: what they did must not be forgotten, while a question
 * that was never answered is simply asked again.
 */
function rememberTools(messages: readonly TranscriptMessage[], content: string): SessionChange {
  const toolsRan = messages.some(({ role }) => role === "tool");
  // What comes next is not about the answer before this one.
  if (!toolsRan) return { appended: [], lastAnswer: null };
  const appended = [...messages, { role: "assistant", content, toolCalls: [] } as const];
  return { appended, lastAnswer: null };
}
