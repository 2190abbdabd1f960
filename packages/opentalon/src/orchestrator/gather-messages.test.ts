import { describe, expect, it } from "vitest";
import type { InboundMessage } from "../domain/message.ts";
import type { Turn } from "../domain/turn.ts";
import type { JournalRecord } from "../store/ports.ts";
import { createGatherMessages } from "./gather-messages.ts";

const turn = (
  id: number,
  more: Partial<InboundMessage> = {},
  attempt = 1,
  atMs = id * 100,
): Turn => ({
  id: `t${id}`,
  sessionKey: "k",
  attempt,
  acceptedAtMs: atMs,
  message: {
    channel: "chat",
    channelKind: "slack",
    platformMessageId: `p${id}`,
    conversationId: "room",
    threadId: "",
    senderId: "ann",
    senderName: "Ann",
    content: `words ${id}`,
    files: [],
    metadata: { at: String(id) },
    sentAtMs: id,
    ...more,
  },
});

function gathering(windowMs = 500, journals: Record<string, JournalRecord[]> = {}) {
  const gather = createGatherMessages({
    windowMs,
    journal: {
      load: async (id) => journals[id] ?? [],
      record: async (id, step, value) => {
        (journals[id] ??= []).push({ step, state: "recorded", value });
      },
    },
    standsAlone: ({ content }) => content.startsWith("/"),
  });
  const idsOf = async (head: Turn, ...waiting: Turn[]): Promise<readonly string[]> => {
    const { id, alongside = [] } = await gather(head, waiting);
    return [id, ...alongside.map((each) => each.id)];
  };
  return { gather, idsOf, journals };
}

describe("messages within the window", () => {
  it("are one turn of the first one, with all their words and files, and the rest is the newest one's", async () => {
    const { gather, journals } = gathering();
    const file = (name: string) => ({ name, mimeType: "text/plain", data: Uint8Array.of(1) });
    const first = turn(1, { files: [file("a")], metadata: { at: "1", lang: "de" } });
    const second = turn(2, { content: "  " });
    const third = turn(3, { content: " bye ", files: [file("b")] });
    const merged = await gather(first, [second, third]);
    expect(merged).toMatchObject({ id: "t1", attempt: 1, alongside: [{ id: "t2" }, { id: "t3" }] });
    expect(merged.message).toEqual({
      ...third.message,
      platformMessageId: "p1",
      content: "words 1\nbye",
      files: [file("a"), file("b")],
      metadata: { at: "3", lang: "de" },
    });
    expect(journals["t1"]).toEqual([{ step: "messages", state: "recorded", value: ["t2", "t3"] }]);
  });

  it("stay apart: another sender, a command, a pause, more than one message may hold", async () => {
    const { idsOf, journals } = gathering();
    expect(await idsOf(turn(1), turn(2, { senderId: "bob" }), turn(3))).toEqual(["t1"]);
    expect(await idsOf(turn(1), turn(2, { content: "/help" }), turn(3))).toEqual(["t1"]);
    expect(await idsOf(turn(1, { content: "/help" }), turn(2))).toEqual(["t1"]);
    expect(await idsOf(turn(1), turn(2, {}, 1, 601))).toEqual(["t1"]);
    expect(await idsOf(turn(1), turn(2, { content: "x".repeat(1_048_576) }))).toEqual(["t1"]);
    expect(await gathering(0).idsOf(turn(1), turn(2))).toEqual(["t1"]);
    expect(journals).toEqual({});
  });
});

describe("after a crash", () => {
  const step = (name: string, value: unknown): JournalRecord => ({
    step: name,
    state: "recorded",
    value,
  });

  it("the same messages make up the same turn, also when the window was switched off", async () => {
    const journals = { t1: [step("messages", ["t2"]), step("model:1", "…")] };
    const { idsOf } = gathering(0, journals);
    expect(await idsOf(turn(1, {}, 2), turn(2, {}, 2), turn(3, {}, 2))).toEqual(["t1", "t2"]);
  });

  it("a turn that had begun gets no further messages, and is none of another", async () => {
    const begun = { t1: [step("model:1", "…")] };
    expect(await gathering(500, begun).idsOf(turn(1, {}, 2), turn(2, {}, 2))).toEqual(["t1"]);
    const other = { t2: [step("model:1", "…")] };
    expect(await gathering(500, other).idsOf(turn(1, {}, 2), turn(2, {}, 2))).toEqual(["t1"]);
  });

  it("what had not begun is gathered as before", async () => {
    const { idsOf } = gathering();
    expect(await idsOf(turn(1, {}, 2), turn(2, {}, 2))).toEqual(["t1", "t2"]);
  });
});
