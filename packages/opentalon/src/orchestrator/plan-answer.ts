import type { ModelReply } from "../domain/model.ts";
import type { Session } from "../domain/session.ts";
import type { StepJournal } from "../domain/step-journal.ts";
import type { Turn } from "../domain/turn.ts";
import type { PrepareOutcome } from "../hooks/run-preparers.ts";
import type { Wish } from "./open-question.ts";
import {
  planAnotherAnswer,
  planObjection,
  planQuestion,
  toQuestionText,
  type QuestionPlan,
} from "./plan-question.ts";
import type { RankedQuestion, TurnStages } from "./turn-stages.ts";

export interface PlannedAnswer {
  readonly plan: QuestionPlan;
  readonly question: RankedQuestion;
}

/** Who is asked what: a rejected answer gives the same question to the next model. */
export async function planAnswer(
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

/** The model that had answered a first round before the turn was interrupted goes on with it. */
export function goOn(question: RankedQuestion, journal: StepJournal): RankedQuestion {
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
