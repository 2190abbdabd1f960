import type { AnswerRecord } from "../domain/answer.ts";
import type { Session, TranscriptFile, TranscriptMessage } from "../domain/session.ts";

/** What a model is shown of the conversation, what it is asked, and how the conversation looks once it has answered. */
export interface QuestionPlan {
  readonly history: readonly TranscriptMessage[];
  readonly userText: string;
  readonly userFiles: readonly TranscriptFile[];
  /** Turns the messages of the run, the question first, into what the conversation keeps. */
  readonly keep: (messages: readonly TranscriptMessage[]) => Kept;
}

export interface Kept {
  /** Newest messages of the conversation that go away. */
  readonly dropped: number;
  readonly appended: readonly TranscriptMessage[];
  /** How many of the newest messages then belong to this answer. */
  readonly messageCount: number;
}

/** A question that is asked again because its answer was rejected. */
export interface Rejection {
  readonly rejected: AnswerRecord;
  /** What the person added or said instead, ready for the model; empty for nothing but another try. */
  readonly text: string;
  readonly isRephrased: boolean;
}

/** For a model that has to be told in words, because it sees the answer that was rejected. */
const tryAgain = "Please try again: that answer was not what I needed.";

/** Something new: it follows what was said so far. */
export function planQuestion(
  session: Session,
  userText: string,
  userFiles: readonly TranscriptFile[] = [],
): QuestionPlan {
  return {
    history: session.messages,
    userText,
    userFiles,
    keep: (messages) => ({ dropped: 0, appended: messages, messageCount: messages.length }),
  };
}

/** What a rejected answer was asked, in the words that the router and the next model go by. */
export function toQuestionText(
  session: Session,
  { rejected, text, isRephrased }: Rejection,
): string {
  const question = session.messages.at(-rejected.messageCount)?.content ?? "";
  if (text === "") return question;
  return isRephrased || question === "" ? text : `${question}\n\n${text}`;
}

/**
 * The same question for the next model, whose answer takes the place of the rejected one. What tools did stays in the
 * conversation, since it was done; and a correction is put to a model that sees what it corrects. Whatever is kept begins
 * with one message of the person and has no other behind the results of a tool, which some services refuse.
 */
export function planAnotherAnswer(
  session: Session,
  rejection: Rejection,
  files: readonly TranscriptFile[] = [],
): QuestionPlan {
  const { rejected, text, isRephrased } = rejection;
  const { messages } = session;
  const count = rejected.messageCount;
  const earlier = messages.slice(0, -count);
  const toolsRan = messages.slice(-count).some(({ role }) => role === "tool");
  const question = toQuestionText(session, rejection);
  const asked = messages.at(-count);
  // What the person attached to the question still belongs to it.
  const allFiles = [...(asked?.role === "user" ? (asked.files ?? []) : []), ...files];
  const replaceAll = (
    between: readonly TranscriptMessage[],
    run: readonly TranscriptMessage[],
  ): Kept => {
    const kept = allFiles.length === 0 ? {} : { files: allFiles };
    const appended: readonly TranscriptMessage[] = [
      { role: "user", content: question, ...kept },
      ...between,
      ...run.slice(1),
    ];
    return { dropped: count, appended, messageCount: appended.length };
  };

  if (toolsRan) {
    const userText = text === "" ? tryAgain : text;
    const keep = (run: readonly TranscriptMessage[]): Kept => {
      if (text !== "" || files.length > 0) return replaceAll(messages.slice(1 - count, -1), run);
      const appended = run.slice(1);
      return { dropped: 1, appended, messageCount: count - 1 + appended.length };
    };
    return { history: messages, userText, userFiles: files, keep };
  }
  const keep = (run: readonly TranscriptMessage[]): Kept => replaceAll([], run);
  return text === "" || isRephrased
    ? { history: earlier, userText: question, userFiles: allFiles, keep }
    : { history: messages, userText: text, userFiles: files, keep };
}

/**
 * Another try by a model that has answered already: it sees its answer and the objection. All of it is still about the
 * first question, so that a further rejection goes back to that one and not to the objection.
 */
export function planObjection(
  session: Session,
  { text, rejected }: Rejection,
  files: readonly TranscriptFile[] = [],
): QuestionPlan {
  const userText = text === "" ? tryAgain : text;
  const keep = (run: readonly TranscriptMessage[]): Kept => ({
    dropped: 0,
    appended: run,
    messageCount: rejected.messageCount + run.length,
  });
  return { history: session.messages, userText, userFiles: files, keep };
}
