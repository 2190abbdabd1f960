import { describe, expect, it } from "vitest";
import type { AnswerRecord } from "../../domain/answer.ts";
import type { Session } from "../../domain/session.ts";
import type { ReactionTarget } from "./find-reaction-target.ts";
import { readIntent, type Signal } from "./read-intent.ts";

const record: AnswerRecord = {
  id: "t1",
  model: "p/small",
  task: "chat",
  features: "numbers",
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
  more: {
    metadata?: Record<string, string>;
    last?: AnswerRecord;
    command?: Signal;
    sender?: string;
    acceptedAtMs?: number;
    target?: ReactionTarget;
  } = {},
) => {
  const { metadata = {}, command, sender: senderId = "ann", acceptedAtMs, target } = more;
  const session = toSession("last" in more ? more.last : record);
  const message = { content, files: [], metadata, channel: "c", senderId };
  return readIntent({ message, session, command, target, acceptedAtMs });
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

  it("asks no model when it is nothing but a reaction, whatever it means", () => {
    const none = undefined as unknown as AnswerRecord;
    const failed = { ...record, messageCount: 0, isJudged: true, unanswered: "Who was that?" };
    for (const reaction of ["👍", "👀", "👎"]) {
      const metadata = { reaction };
      expect(read("", { metadata, last: none }).kind).toBe("note");
      if (reaction === "👎") continue;
      expect(read("", { metadata, last: failed })).toEqual({ kind: "note", signals: [] });
      expect(read("", { metadata }).kind).toBe("note");
    }
    expect(read("", { metadata: { reaction: "👎" }, last: failed })).toMatchObject({
      kind: "question",
      text: "Who was that?",
    });
  });

  it("is a judgement of the answer it names, and nothing but that", () => {
    const target = { kind: "earlier", turnId: "t0" } as const;
    for (const [reaction, accepted] of [
      ["👎", false],
      ["👍", true],
    ] as const) {
      const signals = [{ answerId: "t0", accepted, weight: 2 }];
      const metadata = { reaction };
      const failed = { ...record, isJudged: true, unanswered: "Who was that?" };
      for (const last of [record, failed, undefined as unknown as AnswerRecord])
        expect(read("", { metadata, target, last })).toEqual({ kind: "note", signals });
      expect(read("And you?", { metadata, target })).toMatchObject({ kind: "question", signals });
    }
    expect(read("", { metadata: { reaction: "👀" }, target })).toEqual({
      kind: "note",
      signals: [],
    });
  });

  it("can have nothing but the newest answer given anew", () =>
    expect(
      read("", { metadata: { reaction: "🔁" }, target: { kind: "earlier", turnId: "t0" } }),
    ).toEqual({
      kind: "note",
      signals: [],
      words: expect.stringContaining("Only the newest answer") as string,
    }));

  it("says nothing about answers when it names something else, or was taken back", () => {
    for (const reaction of ["👎", "👍", "🔁"])
      expect(read("", { metadata: { reaction }, target: { kind: "stranger" } })).toEqual({
        kind: "note",
        signals: [],
      });
    const takenBack = { reaction_to: "m1" };
    for (const metadata of [takenBack, { ...takenBack, reaction: "" }])
      expect(read("", { metadata })).toEqual({ kind: "note", signals: [] });
  });

  it("may be a question and a praise at once", () =>
    expect(read("And the next one?", { metadata: { reaction: "👍" } })).toMatchObject({
      kind: "question",
      text: "And the next one?",
      signals: judged(true, 2),
    }));

  it("asks for a question where a model is named and nothing was asked", () => {
    const last = undefined as unknown as AnswerRecord;
    expect(read("--model big", { last })).toMatchObject({
      kind: "note",
      words: expect.stringContaining("no question") as string,
    });
  });

  it("judges an answer that is too far back, and says that it cannot be given again", () => {
    const last = { ...record, messageCount: 4 };
    expect(read("/good", { last, command: "accepted" })).toEqual({
      kind: "note",
      signals: judged(true, 2),
      words: undefined,
    });
    expect(read("/retry", { last, command: "regenerate" })).toMatchObject({
      kind: "note",
      signals: judged(false, 2),
      words: expect.stringContaining("too far back") as string,
    });
  });

  it("says nothing about an answer that its sender did not ask for, unless in so many words", () => {
    const last = { ...record, askedBy: "c:ann" };
    const bob = (text: string) => read(text, { last, sender: "bob" });
    expect(bob("How warm is it in Lima?")).toMatchObject({ kind: "question", signals: [] });
    expect(bob("What's the capital city of Australia then?")).toMatchObject({
      kind: "question",
      signals: [],
    });
    expect(bob("that's wrong, try again")).toMatchObject({
      kind: "again",
      signals: judged(false, 1),
    });
    expect(read("How warm is it in Lima?", { last }).signals).toEqual(judged(true, 1));
  });

  it("says nothing about an answer that was not there yet when it was written", () => {
    const last = { ...record, answeredAtMs: 2_000 };
    const early = (text: string) => read(text, { last, acceptedAtMs: 1_999 });
    expect(early("And how many people live there?")).toMatchObject({
      kind: "question",
      signals: [],
    });
    expect(early("no, try again")).toMatchObject({ kind: "again", signals: [] });
    expect(read("no, try again", { last, acceptedAtMs: 2_000 }).signals).toEqual(judged(false, 1));
  });

  it("goes on from the rejected answer, when no other one could be given", () => {
    const open = { ...record, tried: ["p/tiny"], isJudged: true, unanswered: "No, in 1910!" };
    const rejected = { ...record, tried: ["p/tiny"], isJudged: true };
    const again = { kind: "again", text: "No, in 1910!", signals: [] };
    expect(read("try again", { last: open })).toMatchObject({ ...again, rejected });
    expect(read("--model big", { last: open })).toMatchObject({ ...again, model: "big", rejected });
    expect(read("try again", { last: { ...open, unanswered: "" } })).toMatchObject({
      kind: "again",
      text: "",
    });
    expect(read("Thanks anyway. Who was Bach?", { last: open })).toMatchObject({
      kind: "question",
      signals: [],
    });
    const beyond = { ...open, messageCount: 4 };
    expect(read("try again", { last: beyond })).toMatchObject({ kind: "note", signals: [] });
  });

  it("teaches nothing about an answer that only one model could have given", () =>
    expect(read("no, try again", { last: { ...record, features: "" } })).toMatchObject({
      kind: "again",
      signals: [],
    }));

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
