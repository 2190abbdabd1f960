import { describe, expect, it } from "vitest";
import type { AnswerRecord } from "../domain/answer.ts";
import type { Session, TranscriptMessage } from "../domain/session.ts";
import { planAnotherAnswer, planObjection, planQuestion, toQuestionText } from "./plan-question.ts";

const user = (content: string): TranscriptMessage => ({ role: "user", content });
const says = (content: string): TranscriptMessage => ({
  role: "assistant",
  content,
  toolCalls: [],
});
const calls: TranscriptMessage = {
  role: "assistant",
  content: "",
  toolCalls: [{ id: "1", name: "mail__send", arguments: {} }],
};
const sent: TranscriptMessage = {
  role: "tool",
  callId: "1",
  tool: "mail__send",
  content: "sent",
  isError: false,
};
const toSession = (messages: readonly TranscriptMessage[]): Session => ({
  key: "k",
  pinnedModel: "",
  lastAnswer: undefined,
  messages,
});
const earlier = [user("hi"), says("hello")];
const toRejected = (messageCount: number) => ({ messageCount, model: "p/m" }) as AnswerRecord;

describe("what a model is asked", () => {
  it("is the message after all that was said, for a new question", () => {
    const plan = planQuestion(toSession(earlier), "next");
    expect(plan.history).toEqual(earlier);
    const run = [user("next"), says("yes")];
    expect(plan.keep(run)).toEqual({ dropped: 0, appended: run, messageCount: 2 });
  });

  it("is the other wording alone, when a question was rephrased", () => {
    const session = toSession([...earlier, user("what?"), says("wrong")]);
    const rejection = { rejected: toRejected(2), text: "in other words?", isRephrased: true };
    const plan = planAnotherAnswer(session, rejection);
    expect(plan).toMatchObject({ history: earlier, userText: "in other words?" });
    expect(plan.keep([user("in other words?"), says("right")])).toEqual({
      dropped: 2,
      appended: [user("in other words?"), says("right")],
      messageCount: 2,
    });
    expect(toQuestionText(session, rejection)).toBe("in other words?");
  });

  it("keeps what tools did, and drops only the words about it", () => {
    const messages = [...earlier, user("mail Bob"), calls, sent, says("done badly")];
    const rejection = { rejected: toRejected(4), text: "", isRephrased: false };
    const plan = planAnotherAnswer(toSession(messages), rejection);
    expect(plan.history).toEqual(messages);
    const run = [user(plan.userText), says("done well")];
    expect(plan.keep(run)).toEqual({ dropped: 1, appended: [says("done well")], messageCount: 4 });
    const corrected = planAnotherAnswer(toSession(messages), { ...rejection, text: "to Ann!" });
    const both = [user("to Ann!"), calls, sent, says("sent to Ann")];
    expect(corrected.keep(both)).toEqual({
      dropped: 4,
      // No message of a person behind the results of a tool: some services refuse that.
      appended: [user("mail Bob\n\nto Ann!"), calls, sent, calls, sent, says("sent to Ann")],
      messageCount: 6,
    });
  });

  it("keeps a file that came with the wish for another answer, also after tools", () => {
    const files = [{ name: "a.png", mimeType: "image/png", data: new Uint8Array([1]) }];
    const session = toSession([user("mail Bob"), calls, sent, says("done badly")]);
    const rejection = { rejected: toRejected(4), text: "", isRephrased: false };
    const kept = planAnotherAnswer(session, rejection, files).keep([user(""), says("done")]);
    expect(kept.appended[0]).toMatchObject({ content: "mail Bob", files });
    expect(kept.appended.map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "tool",
      "assistant",
    ]);
  });

  it("keeps the files of a question that is asked again", () => {
    const files = [{ name: "a.png", mimeType: "image/png", data: new Uint8Array([1]) }];
    const asked = { ...user("what is this?"), files } as TranscriptMessage;
    const rejection = { rejected: toRejected(2), text: "", isRephrased: false };
    const session = toSession([asked, says("a cat")]);
    const plan = planAnotherAnswer(session, rejection);
    expect(plan.userFiles).toEqual(files);
    expect(plan.keep([user("what is this?"), says("a dog")]).appended[0]).toEqual(asked);

    const more = [{ ...(files[0] as (typeof files)[0]), name: "b.png" }];
    const added = planAnotherAnswer(session, { ...rejection, text: "and this?" }, more);
    expect(added.userFiles).toEqual(more);
    expect(added.keep([user("and this?"), says("a dog")]).appended[0]).toMatchObject({
      files: [...files, ...more],
    });
  });

  it("is an objection, for a model that has answered already", () => {
    const messages = [...earlier, user("what?"), says("wrong")];
    const rejection = { rejected: toRejected(2), text: "", isRephrased: false };
    const plan = planObjection(toSession(messages), rejection);
    expect(plan.history).toEqual(messages);
    expect(plan.userText).toMatch(/try again/);
    const run = [user(plan.userText), says("better")];
    expect(plan.keep(run)).toEqual({ dropped: 0, appended: run, messageCount: 4 });
  });

  it("goes back to the question itself, when an objection was not answered well either", () => {
    const group = [user("what?"), says("wrong"), user("Please try again"), says("wrong again")];
    const session = toSession([...earlier, ...group]);
    const rejection = { rejected: toRejected(4), text: "", isRephrased: false };
    const plan = planAnotherAnswer(session, rejection);
    expect(plan).toMatchObject({ history: earlier, userText: "what?" });
    expect(plan.keep([user("what?"), says("right")])).toEqual({
      dropped: 4,
      appended: [user("what?"), says("right")],
      messageCount: 2,
    });
  });
});
