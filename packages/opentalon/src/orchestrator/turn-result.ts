import type { AgentRun } from "../agent/run-agent.ts";
import { BudgetError } from "../base/errors.ts";
import { toActor } from "../domain/actor.ts";
import type { AnswerRecord } from "../domain/answer.ts";
import type { OutboundMessage } from "../domain/message.ts";
import type { ModelReply } from "../domain/model.ts";
import type { Session, TranscriptMessage } from "../domain/session.ts";
import type { StepJournal } from "../domain/step-journal.ts";
import type { Reply, Turn } from "../domain/turn.ts";
import type { UsageRow } from "../domain/usage.ts";
import type { CommandOutcome } from "../inbound/run-command.ts";
import type { Intent } from "../routing/feedback/read-intent.ts";
import type { Route } from "../routing/router.ts";
import type { SessionChange, TurnCommit } from "../store/ports.ts";
import { askConsent } from "./ask-consent.ts";
import { describeFailure, explainFailure, type TurnFailure } from "./explain-error.ts";
import { type HookNotes, noNotes, privateMetadata, toHooks } from "./hook-notes.ts";
import { toAsked, toOpenRecord, type Wish } from "./open-question.ts";
import type { PlannedAnswer } from "./plan-answer.ts";
import type { TurnStages } from "./turn-stages.ts";

/** What a turn came to, ready to be committed. */
export interface Produced {
  /** `undefined` when there is nothing to say. */
  readonly reply: Reply | undefined;
  readonly session: SessionChange;
  readonly outcome: "answered" | "refused" | "failed" | "stopped";
  readonly answers?: TurnCommit["answers"];
  readonly signals?: TurnCommit["signals"];
}

/** Notices follow the answer, apart from it, and stand in its metadata for programs. */
export async function withNotices(
  turn: Turn,
  produced: Produced,
  stages: TurnStages,
): Promise<Produced> {
  const { reply, outcome } = produced;
  const { findNotices, log } = stages;
  if (findNotices === undefined || reply === undefined || outcome !== "answered") return produced;
  try {
    const notices = await findNotices(turn);
    if (notices.length === 0) return produced;
    const notice = notices.join("\n");
    const metadata = { ...reply.metadata, notice };
    return { ...produced, reply: { ...addWords(turn, reply, `(${notice})`, stages), metadata } };
  } catch (error) {
    log.warn({ trace: turn.id, err: error }, "an answer goes out without its notices");
    return produced;
  }
}

/** A reply with words of ours below it, in the format it is in. */
export function addWords(
  turn: Turn,
  reply: Reply,
  words: string,
  { formatWords = (_, text) => text }: TurnStages,
): Reply {
  const added = reply.isFormatted === true ? formatWords(turn, words) : words;
  return { ...reply, content: `${reply.content}\n\n${added}` };
}

/** The reply for the place the message came from; `in_reply_to` names the message, the rest of its metadata goes back with it. */
export function toOutboundMessage(
  { message }: Turn,
  { content, metadata, isFormatted }: Reply,
): OutboundMessage {
  const { channel, conversationId, threadId, platformMessageId } = message;
  const returned = Object.entries(message.metadata).filter(([key]) => !privateMetadata.has(key));
  return {
    channel,
    conversationId,
    threadId,
    content,
    files: [],
    metadata: { ...Object.fromEntries(returned), ...metadata, in_reply_to: platformMessageId },
    ...(isFormatted === true ? { isFormatted } : {}),
  };
}

interface AnsweredQuestion extends PlannedAnswer {
  readonly intent: Intent;
  readonly paid: readonly ModelReply[];
}

/** What stays of an answered question: its messages, how it came about, and what routing may learn from it. */
export function remember(
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

export function toNotes(turn: Turn, { notesOf }: TurnStages): HookNotes {
  return notesOf?.(turn) ?? noNotes;
}

export function refuseModel(turn: Turn, intent: Wish): Produced {
  const content = `There is no model "${intent.model}", so nothing was asked. /model lists them.`;
  const reply = { content, metadata: { type: "system" } };
  return leaveOpen(turn, { reply, session: { appended: [] }, outcome: "refused" }, intent);
}

/** What was not answered can be tried again without being repeated, unless tools have already acted on it. */
export function leaveOpen(turn: Turn, produced: Produced, intent: Wish, route?: Route): Produced {
  const { session } = produced;
  const { signals } = intent;
  const lastAnswer = session.appended.length > 0 ? null : toOpenRecord(turn, intent, route);
  return { ...produced, session: { ...session, lastAnswer }, signals };
}

/** Nothing to ask a model: what was said about an answer is noted. */
export function takeNote(
  { lastAnswer }: Session,
  { signals, words }: Extract<Intent, { kind: "note" }>,
  text = "",
): Produced {
  const content = words ?? text;
  // What was said about an earlier answer leaves the newest as it is.
  const isAboutIt = signals.some(({ answerId }) => answerId === lastAnswer?.id);
  const judged = lastAnswer && isAboutIt ? { ...lastAnswer, isJudged: true } : undefined;
  return {
    reply: content === "" ? undefined : { content, metadata: { type: "system" } },
    session: { appended: [], lastAnswer: judged },
    outcome: "answered",
    signals,
  };
}

export async function fromAgentRun(
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
      const { text, metadata = {}, isFormatted = false } = formatted;
      const reply = { content: text, metadata, ...(isFormatted ? { isFormatted } : {}) };
      return {
        reply: askConsent(reply, messages, (given, words) => addWords(turn, given, words, stages)),
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

export function fromCommand(outcome: CommandOutcome): Produced {
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
export function fail(
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
export function rememberTools(
  messages: readonly TranscriptMessage[],
  content: string,
): SessionChange {
  const toolsRan = messages.some(({ role }) => role === "tool");
  // What comes next is not about the answer before this one.
  if (!toolsRan) return { appended: [], lastAnswer: null };
  const appended = [...messages, { role: "assistant", content, toolCalls: [] } as const];
  return { appended, lastAnswer: null };
}
