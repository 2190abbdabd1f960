import { describe, expect, it } from "vitest";
import type { AnswerRecord } from "../domain/answer.ts";
import type { Session } from "../domain/session.ts";
import { readIntent, type Signal } from "./read-intent.ts";

const record: AnswerRecord = {
  id: "t1",
  model: "p/small",
  task: "chat",
  features: "",
  tried: [],
  cause: "weight",
  reason: "",
  chosen: "p/small",
  inputTokens: 1,
  outputTokens: 1,
  cost: 0,
  messageCount: 2,
  isJudged: false,
};
const question = "What is the capital of Australia?";
const toSession = (lastAnswer: AnswerRecord | undefined): Session => ({
  key: "k",
  pinnedModel: "",
  lastAnswer,
  messages: [
    { role: "user", content: question },
    { role: "assistant", content: "Sydney.", toolCalls: [] },
  ],
});
const read = (
  content: string,
  more: { metadata?: Record<string, string>; last?: AnswerRecord; command?: Signal } = {},
) => {
  const { metadata = {}, command } = more;
  const session = toSession("last" in more ? more.last : record);
  return readIntent({ message: { content, files: [], metadata }, session, command });
};
const judged = (accepted: boolean, weight: number) => [{ answerId: "t1", accepted, weight }];

describe("what a message wants", () => {
  it("is an answer, and the one before was good enough", () => {
    expect(read("And how many people live there?")).toMatchObject({
      kind: "question",
      text: "And how many people live there?",
      signals: judged(true, 1),
    });
  });

  it("is another answer to the same question", () => {
    expect(read("no, try again")).toMatchObject({
      kind: "again",
      text: "",
      rejected: record,
      signals: judged(false, 1),
    });
    expect(read("No, it is Canberra!")).toMatchObject({
      kind: "again",
      text: "No, it is Canberra!",
    });
    expect(read("What's the capital city of Australia then?")).toMatchObject({
      kind: "again",
      isRephrased: true,
    });
  });

  it("is told by a reaction, a button or a command, which count twice", () => {
    expect(read("", { metadata: { reaction: "👎" } })).toMatchObject({
      kind: "again",
      text: "",
      signals: judged(false, 2),
    });
    expect(read("", { metadata: { signal: "thumbs_up" } })).toEqual({
      kind: "note",
      signals: judged(true, 2),
    });
    expect(read("/retry", { command: "regenerate" })).toMatchObject({ kind: "again", text: "" });
    expect(read("/good", { command: "accepted" })).toMatchObject({ kind: "note" });
  });

  it("names a model, for this message or for the question before", () => {
    expect(read("--model big Who are you?")).toMatchObject({
      kind: "question",
      text: "Who are you?",
      model: "big",
    });
    expect(read("--model big")).toMatchObject({ kind: "again", text: "", model: "big" });
  });

  it("says nothing a second time about an answer that was judged", () =>
    expect(read("no, try again", { last: { ...record, isJudged: true } }).signals).toEqual([]));

  it("is an ordinary question where there is no answer in sight", () => {
    const last = undefined as unknown as AnswerRecord;
    expect(read("no, try again", { last })).toMatchObject({ kind: "question", signals: [] });
    expect(read("", { last, metadata: { reaction: "👎" } })).toEqual({ kind: "note", signals: [] });
    const beyond = { ...record, messageCount: 4 };
    expect(read("no, try again", { last: beyond })).toMatchObject({ kind: "question" });
  });

  it("is the question that nobody could answer, when it is only to be tried again", () => {
    const last = { ...record, messageCount: 0, unanswered: "Who was that?" };
    expect(read("try again please", { last })).toMatchObject({
      kind: "question",
      text: "Who was that?",
      signals: [],
    });
    expect(read("/retry", { last, command: "regenerate" })).toMatchObject({
      text: "Who was that?",
    });
    expect(read("Something else", { last })).toMatchObject({ text: "Something else" });
  });
});
