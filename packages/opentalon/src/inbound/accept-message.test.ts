import { describe, expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import type { FileAttachment, InboundMessage } from "../domain/message.ts";
import { createAcceptMessage, type InboundOptions } from "./accept-message.ts";
import { createMessageRate } from "./message-rate.ts";

const message: InboundMessage = {
  channel: "web",
  channelKind: "webhook",
  platformMessageId: "1",
  conversationId: "room",
  threadId: "",
  senderId: "ann",
  senderName: "",
  content: "",
  files: [],
  metadata: {},
  sentAtMs: 0,
};

function accepting(more: Partial<InboundOptions> = {}) {
  const stored: InboundMessage[] = [];
  const keys: string[] = [];
  const told: string[] = [];
  const clock = createManualClock();
  const accept = createAcceptMessage({
    inbox: {
      accept: async (taken, sessionKey) => {
        if (stored.some(({ platformMessageId: id }) => id === taken.platformMessageId))
          return { kind: "duplicate" };
        stored.push(taken);
        keys.push(sessionKey);
        return { kind: "accepted", entry: { id: "1", sessionKey, message: taken, attempt: 1 } };
      },
      takeOver: async () => [],
      pending: async () => 0,
    },
    checkAccess: async () => ({ kind: "admitted" }),
    rate: createMessageRate(clock),
    rulesOf: () => ({ rateLimit: { messages: 0, perMs: 0 }, sessions: "conversation" }),
    tell: async (_to, content) => {
      told.push(content);
      return true;
    },
    onAccepted: () => undefined,
    isStopping: () => false,
    log: createSilentLog(),
    ...more,
  });
  return { accept, stored, keys, told, clock };
}

describe("a message with files", () => {
  const { accept, stored } = accepting();
  const file = (size: number, name = "a.png"): FileAttachment => {
    return { name, mimeType: "image/png", data: new Uint8Array(size) };
  };

  it("is taken, also without words", async () => {
    const files = [file(3)];
    expect(await accept({ ...message, files })).toEqual({ kind: "accepted" });
    expect(stored.at(-1)).toEqual({ ...message, files });
  });

  it("is refused for good when the files are too many, too large or named endlessly", async () => {
    const mebibytes = 1024 * 1024;
    const cases: readonly [readonly FileAttachment[], RegExp][] = [
      [Array.from({ length: 33 }, () => file(1)), /more than 32 files/],
      [[file(20 * mebibytes), file(12 * mebibytes + 1)], /larger than 33554432 bytes together/],
      [[file(1, "x".repeat(2_000))], /name of a file is longer/],
    ];
    for (const [files, reason] of cases) {
      expect(await accept({ ...message, files })).toEqual({
        kind: "refused",
        reason: expect.stringMatching(reason) as string,
        retryAfterMs: 0,
      });
    }
  });
});

describe("who writes", () => {
  const send = (id: string, content = "hi", senderId = "ann"): InboundMessage => ({
    ...message,
    platformMessageId: id,
    content,
    senderId,
  });

  it("is asked about before anything is stored, and a check that fails loses nothing", async () => {
    const away = accepting({ checkAccess: async () => ({ kind: "turned-away" }) });
    expect(await away.accept(send("1"))).toEqual({ kind: "accepted" });
    const unsure = accepting({ checkAccess: async () => ({ kind: "undecided" }) });
    expect(await unsure.accept(send("1"))).toMatchObject({ kind: "refused", retryAfterMs: 2_000 });
    expect([away.stored, unsure.stored]).toEqual([[], []]);
  });

  it("has a session of their own where the channel says so", async () => {
    const rules = { rateLimit: { messages: 0, perMs: 0 }, sessions: "sender" } as const;
    const { accept, keys } = accepting({ rulesOf: () => rules });
    await accept(send("1"));
    await accept({ ...send("2", "hi", "b:c"), threadId: "t" });
    await accept({ ...send("3", "hi", ""), threadId: "ann" });
    expect(keys).toEqual(["web:room::ann", "web:room:t:b%3Ac", "web:room:ann:"]);
  });

  it("is told once in a window that they write too fast; others, repeats and /stop are not counted for it", async () => {
    const rules = { rateLimit: { messages: 2, perMs: 60_000 }, sessions: "conversation" } as const;
    const { accept, stored, told, clock } = accepting({ rulesOf: () => rules });
    const accepted = { kind: "accepted" };
    expect(await accept(send("1"))).toEqual(accepted);
    expect(await accept(send("1"))).toEqual({ kind: "duplicate" });
    for (const id of ["2", "3", "4"]) expect(await accept(send(id))).toEqual(accepted);
    await accept(send("5", "/stop"));
    await accept(send("6", "hi", "bob"));
    expect(stored.map(({ platformMessageId }) => platformMessageId)).toEqual(["1", "2", "5", "6"]);
    expect(told).toEqual([expect.stringContaining("2 messages in 1 min")]);
    clock.advance(60_000);
    await accept(send("7"));
    expect(stored).toHaveLength(5);
  });
});
