/**
 * Gets: one message from the inbox. Gives: one committed answer.
 * Never: skips the commit, and never commits twice: what fails is explained to the person, what is interrupted goes on
 * from the journal.
 *
 * This file spells the order in which a message passes the stages; each stage is handed in.
 */
import { StoreError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { AgentRun } from "../agent/run-agent.ts";
import type { FormatOutcome } from "../hooks/run-formatters.ts";
import type { PrepareOutcome } from "../hooks/run-preparers.ts";
import type { CommandOutcome } from "../inbound/run-command.ts";
import type { Route } from "../routing/router.ts";
import type { Delivery, SessionChange, TurnCommit } from "../store/ports.ts";
import type { InboundMessage, OutboundMessage } from "../domain/message.ts";
import type { ModelReply } from "../domain/model.ts";
import type { Session, TranscriptMessage } from "../domain/session.ts";
import type { StepJournal } from "../domain/step-journal.ts";
import type { Reply, Turn, TurnObserver } from "../domain/turn.ts";
import type { UsageRow } from "../domain/usage.ts";
import { describeFailure, explainFailure, type TurnFailure } from "./explain-error.ts";

/** What the agent needs to know of the turn it answers. */
export interface AnswerRequest {
  readonly turn: Turn;
  readonly session: Session;
  readonly text: string;
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
  readonly runCommand: (message: InboundMessage, session: Session) => CommandOutcome | undefined;
  readonly prepare: (
    turn: Turn,
    text: string,
    journal: StepJournal,
    signal: AbortSignal,
  ) => Promise<PrepareOutcome>;
  /** Whether `prepare` does anything; if not, its outcome needs no journal entry. */
  readonly hasPreparers: boolean;
  readonly rank: (session: Session) => Route;
  readonly answer: (request: AnswerRequest) => Promise<AgentRun>;
  readonly format: (turn: Turn, text: string, signal: AbortSignal) => Promise<FormatOutcome>;
  readonly hasFormatters: boolean;
  readonly toUsageRow: (turn: Turn, reply: ModelReply) => UsageRow;
  readonly commit: (commit: TurnCommit) => Promise<Delivery | undefined>;
  readonly deliver: (delivery: Delivery) => void;
  readonly observe: TurnObserver;
  readonly createReference: () => string;
  readonly log: Log;
}

/** Inbound metadata the outside must never see again. */
const privateMetadata = new Set(["profile_token", "__enrich_failed", "__enrich_failed_step"]);

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

interface Produced {
  readonly reply: Reply;
  readonly session: SessionChange;
  readonly outcome: "answered" | "refused" | "failed";
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
    const produced = await produceReply(turn, stages, paid, signal);
    const delivery = await commit(turn, produced, paid, stages, signal);
    if (delivery !== undefined) stages.deliver(delivery);
    outcome = produced.outcome;
  } finally {
    stages.observe(turn, { kind: "turn-finished", outcome });
  }
}

/** Commits the turn; when the store refuses what is in it, at least the person hears that it failed. */
async function commit(
  turn: Turn,
  { reply, session }: Produced,
  paid: readonly ModelReply[],
  stages: TurnStages,
  signal: AbortSignal,
): Promise<Delivery | undefined> {
  try {
    return await stages.commit({
      entry: turn,
      reply: toOutboundMessage(turn, reply),
      session,
      usage: paid.map((each) => stages.toUsageRow(turn, each)),
    });
  } catch (error) {
    if (signal.aborted || (error instanceof StoreError && error.code === "STORE_FENCED"))
      throw error;
    const failed = fail(turn, { kind: "error", error }, stages, []);
    const words = toOutboundMessage(turn, failed.reply);
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

    const command = stages.runCommand(turn.message, session);
    if (command !== undefined) return fromCommand(command);

    const journal = await stages.openJournal(turn);
    const prepared = await prepareOnce(turn, stages, journal, signal);
    if (prepared.kind === "answer") {
      const { content, metadata } = prepared;
      return { reply: { content, metadata }, session: { appended: [] }, outcome: "refused" };
    }

    const run = await stages.answer({
      turn,
      session,
      text: prepared.content,
      route: stages.rank(session),
      journal,
      recordFinalReply: stages.hasFormatters,
      onReply: (reply) => paid.push(reply),
      signal,
    });
    return await fromAgentRun(turn, run, stages, signal);
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

async function prepareOnce(
  turn: Turn,
  stages: TurnStages,
  journal: StepJournal,
  signal: AbortSignal,
): Promise<PrepareOutcome> {
  if (!stages.hasPreparers) return { kind: "continue", content: turn.message.content };
  const earlier = journal.find("prepare");
  if (earlier?.state === "recorded") return earlier.value as PrepareOutcome;
  const outcome = await stages.prepare(turn, turn.message.content, journal, signal);
  // An answer is committed right away; only a text the model is about to see must survive a crash unchanged.
  if (outcome.kind === "continue") await journal.record("prepare", outcome);
  return outcome;
}

async function fromAgentRun(
  turn: Turn,
  run: AgentRun,
  stages: TurnStages,
  signal: AbortSignal,
): Promise<Produced> {
  const { outcome, messages } = run;
  switch (outcome.kind) {
    case "answered": {
      const formatted = await stages.format(turn, outcome.text, signal);
      if (formatted.kind === "failed") {
        return fail(turn, { ...formatted, kind: "formatter-failed" }, stages, messages);
      }
      return {
        reply: { content: formatted.text, metadata: {} },
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

function fromCommand({ text, action, clearsSession, pinnedModel }: CommandOutcome): Produced {
  return {
    reply: { content: text, metadata: { type: "system", action } },
    session: { appended: [], cleared: clearsSession, pinnedModel },
    outcome: "answered",
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
  stages.log.error(
    { trace: turn.id, reference, err },
    `a turn failed: ${describeFailure(failure)}`,
  );
  return { reply, session: rememberTools(messages, reply.content), outcome: "failed" };
}

/**
 * A turn without an answer is remembered only if tools ran in it: what they did must not be forgotten, while a question
 * that was never answered is simply asked again.
 */
function rememberTools(messages: readonly TranscriptMessage[], content: string): SessionChange {
  const toolsRan = messages.some(({ role }) => role === "tool");
  if (!toolsRan) return { appended: [] };
  return { appended: [...messages, { role: "assistant", content, toolCalls: [] }] };
}
