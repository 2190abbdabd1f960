/**
 * Gets: one message from the inbox. Gives: one committed answer.
 * Never: skips the commit, and never commits twice: what fails is explained to the person, what is interrupted goes on
 * from the journal.
 *
 * This file spells the order in which a message passes the stages; each stage is handed in.
 */
import { StoreError } from "../base/errors.ts";
import type { ModelReply } from "../domain/model.ts";
import type { Session } from "../domain/session.ts";
import type { StepJournal } from "../domain/step-journal.ts";
import type { Turn } from "../domain/turn.ts";
import type { PrepareOutcome } from "../hooks/run-preparers.ts";
import type { Delivery } from "../store/ports.ts";
import { toRefusal, withChanges, withMetadata } from "./hook-notes.ts";
import type { Wish } from "./open-question.ts";
import { goOn, planAnswer } from "./plan-answer.ts";
import { findStop } from "./stop-request.ts";
import { createTurnProgress, type TurnProgress } from "./turn-progress.ts";
import {
  fail,
  fromAgentRun,
  fromCommand,
  leaveOpen,
  refuseModel,
  remember,
  takeNote,
  toNotes,
  toOutboundMessage,
  withNotices,
  type Produced,
} from "./turn-result.ts";
import type { TurnStages } from "./turn-stages.ts";

/** How often a turn that was taken over may be interrupted again before its message is answered with a failure. */
const maxInterruptions = 4;

/**
 * Takes one message through all stages.
 * Rejects only when nothing could be committed: aborted, or the store failed. The message then stays in the inbox.
 */
export async function runTurn(turn: Turn, stages: TurnStages, signal: AbortSignal): Promise<void> {
  stages.observe(turn, { kind: "turn-started" });
  let outcome: Produced["outcome"] = "failed";
  const alsoAnswered = [...(turn.alongside ?? [])];
  try {
    const paid: ModelReply[] = [];
    const progress = createTurnProgress();
    const made = await produceUnlessStopped(turn, stages, paid, progress, signal);
    // From here to the commit nothing waits, so whoever stops the turn later finds it finished.
    const stops = findStop(signal)?.take();
    const produced = made === undefined || stops !== undefined ? progress.stop() : made;
    alsoAnswered.push(...(stops ?? []));
    const answered = { turn, alsoAnswered, replyTo: stops?.[0] ?? turn };
    const delivery = await commit(answered, produced, paid, stages, signal);
    if (delivery !== undefined) stages.deliver(delivery);
    if (produced.signals !== undefined && produced.signals.length > 0) stages.onJudged();
    outcome = produced.outcome;
  } finally {
    for (const each of [turn, ...alsoAnswered])
      stages.observe(each, { kind: "turn-finished", outcome });
  }
}

/** `undefined` when the person stopped the turn before it came to anything. */
async function produceUnlessStopped(
  turn: Turn,
  stages: TurnStages,
  paid: ModelReply[],
  progress: TurnProgress,
  signal: AbortSignal,
): Promise<Produced | undefined> {
  try {
    const produced = await produceReply(turn, stages, paid, progress, signal);
    return await withNotices(turn, produced, stages);
  } catch (error) {
    if (findStop(signal) === undefined || isFenced(error)) throw error;
    return undefined;
  }
}

const isFenced = (error: unknown): boolean =>
  error instanceof StoreError && error.code === "STORE_FENCED";

/** The messages one commit answers; the reply goes out as one to `replyTo`. */
interface Answered {
  readonly turn: Turn;
  readonly alsoAnswered: readonly Turn[];
  readonly replyTo: Turn;
}

/** Commits the turn; when the store refuses what is in it, at least the person hears that it failed. */
async function commit(
  { turn, alsoAnswered, replyTo }: Answered,
  { reply, session, answers, signals }: Produced,
  paid: readonly ModelReply[],
  stages: TurnStages,
  signal: AbortSignal,
): Promise<Delivery | undefined> {
  const { replies } = toNotes(turn, stages);
  try {
    return await stages.commit({
      entry: turn,
      alsoAnswered,
      reply: reply === undefined ? undefined : toOutboundMessage(replyTo, reply),
      session,
      usage: [...paid, ...replies].map((each) => stages.toUsageRow(turn, each)),
      answers,
      signals,
    });
  } catch (error) {
    if (isFenced(error) || (signal.aborted && findStop(signal) === undefined)) throw error;
    const { reply, session } = fail(turn, { kind: "error", error }, stages, []);
    const words = reply === undefined ? undefined : toOutboundMessage(replyTo, reply);
    return stages.commit({ entry: turn, alsoAnswered, reply: words, session, usage: [] });
  }
}

async function produceReply(
  turn: Turn,
  stages: TurnStages,
  paid: ModelReply[],
  progress: TurnProgress,
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
    const intent = await stages.readIntent(turn, session, command?.wants);
    if (intent.kind === "note") return takeNote(session, intent, command?.text);
    if (intent.model !== "" && !stages.hasModel(intent.model)) return refuseModel(turn, intent);

    const journal = progress.watch(await stages.openJournal(turn));
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
      onMessages: progress.onMessages,
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
    if (isFenced(error) || signal.aborted) throw error;
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
