import { describe, expect, it } from "vitest";
import type { AnswerRecord } from "../../domain/answer.ts";
import { findReactionTarget } from "./find-reaction-target.ts";
import type { Signal } from "./read-intent.ts";

const record: AnswerRecord = {
  id: "newest",
  model: "p/m",
  task: "chat",
  features: "numbers",
  tried: [],
  cause: "weight",
  reason: "",
  chosen: "p/m",
  inputTokens: 1,
  outputTokens: 1,
  cost: 0,
  messageCount: 2,
  isJudged: false,
};

interface Case {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly last?: AnswerRecord | undefined;
  readonly command?: Signal;
  readonly posted?: Readonly<Record<string, string>>;
}

/** Messages of the conversation `room` by what they are called, with the turn they answer. */
async function find(given: Case) {
  const { metadata = { reaction: "👎", reaction_to: "m1" }, posted = {}, command } = given;
  const lastAnswer = "last" in given ? given.last : record;
  let lookups = 0;
  const message = { channel: "c", conversationId: "room", metadata };
  const target = await findReactionTarget(
    { message, session: { lastAnswer }, command },
    {
      findTurn: ({ channel, conversationId, messageId }) => {
        lookups += 1;
        return Promise.resolve(
          channel === "c" && conversationId === "room" ? posted[messageId] : undefined,
        );
      },
      hasTurn: (turnId) => Promise.resolve(Object.values(posted).includes(turnId)),
    },
  );
  return { target, lookups };
}

describe("what a reaction is about", () => {
  it("is the newest answer, by any of its messages", async () => {
    for (const messageId of ["m1", "m2"]) {
      const metadata = { reaction: "👎", reaction_to: messageId };
      const { target } = await find({ metadata, posted: { m1: "newest", m2: "newest" } });
      expect(target).toBeUndefined();
    }
  });

  it("is an earlier answer", async () => {
    const posted = { m1: "earlier", m2: "newest" };
    const target = { kind: "earlier", turnId: "earlier" };
    expect((await find({ posted })).target).toEqual(target);
    expect((await find({ posted, last: undefined })).target).toEqual(target);
  });

  it("is no answer of ours where ours are known", async () => {
    expect((await find({ posted: { m2: "newest" } })).target).toEqual({ kind: "stranger" });
  });

  it("is taken for the newest answer where nobody knows what that is called", async () => {
    expect((await find({ posted: { m2: "earlier" } })).target).toBeUndefined();
    expect((await find({ last: undefined })).target).toBeUndefined();
  });

  it("is what was said in place of an answer, too", async () => {
    const last = { ...record, unanswered: "", unansweredBy: "failed" };
    const posted = { m0: "earlier", m1: "failed", m2: "newest" };
    const to = (id: string) => ({ reaction: "🔁", reaction_to: id });
    expect((await find({ last, posted })).target).toBeUndefined();
    expect((await find({ last, posted, metadata: to("m2") })).target).toBeUndefined();
    expect((await find({ last, posted, metadata: to("m0") })).target?.kind).toBe("earlier");
    expect((await find({ last, posted, metadata: to("m9") })).target?.kind).toBe("stranger");
  });

  it("is not looked for where nothing is said, or a command says it", async () => {
    const posted = { m1: "earlier" };
    const silent: readonly Readonly<Record<string, string>>[] = [
      { reaction: "👀", reaction_to: "m1" },
      { reaction: "👎" },
      { reaction: "👎", reaction_to: "" },
      { reaction_to: "m1" },
    ];
    for (const metadata of silent)
      expect(await find({ metadata, posted })).toEqual({ target: undefined, lookups: 0 });
    expect((await find({ posted, command: "rejected" })).lookups).toBe(0);
  });
});
