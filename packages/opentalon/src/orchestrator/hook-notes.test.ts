import { describe, expect, it } from "vitest";
import type { Turn } from "../domain/turn.ts";
import { noNotes, toRefusal, withChanges, withMetadata } from "./hook-notes.ts";

const turn: Turn = {
  id: "t",
  sessionKey: "s",
  attempt: 1,
  message: {
    channel: "c",
    channelKind: "webhook",
    platformMessageId: "m",
    conversationId: "k",
    threadId: "",
    senderId: "u",
    senderName: "",
    content: "hello",
    files: [],
    metadata: { team: "red", profile_token: "secret" },
    sentAtMs: 0,
  },
};

describe("what hooks leave in a turn", () => {
  it("is metadata for the stages that follow; what is private is neither lost nor made up", () => {
    const { message } = withMetadata(turn, { team: "blue", profile_token: "forged" });
    expect(message.metadata).toEqual({ team: "blue", profile_token: "secret" });
    expect(withMetadata(turn)).toBe(turn);
  });

  it("goes out with the reply when it is new, never what is private", () => {
    const reply = { content: "hi", metadata: { type: "system" } };
    const changed = { team: "blue", profile_token: "other" };
    expect(withChanges(reply, turn, changed).metadata).toEqual({ type: "system", team: "blue" });
    expect(withChanges(reply, turn).metadata).toEqual({ type: "system" });
  });

  it("is a record for /why when a hook did something, without the message", () => {
    expect(toRefusal(turn, noNotes)).toBeNull();
    const records = [{ hook: "lua:no", effect: "refused", microseconds: 90 }] as const;
    const record = toRefusal(turn, { records, replies: [] });
    expect(record).toMatchObject({ hooks: records, messageCount: 0, isJudged: true });
    expect(JSON.stringify(record)).not.toContain("hello");
  });
});
