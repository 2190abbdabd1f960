import { describe, expect, it } from "vitest";
import type { OutboundMessage } from "../../domain/message.ts";
import type { WireMessage } from "./channel-wire.ts";
import { type Origin, toInboundMessage, withPlatformIdentity } from "./to-inbound-message.ts";

const origin: Origin = { kind: "slack", connection: "first", sequence: 1, nowMs: 1_000 };

const message = (more: Partial<WireMessage> = {}): WireMessage => ({
  channelId: "",
  kind: "",
  conversationId: "room",
  threadId: "",
  senderId: "ann",
  senderName: "Ann",
  content: "hello",
  files: [],
  metadata: {},
  timestamp: "",
  sentAtMs: undefined,
  ...more,
});

const identityOf = (more: Partial<WireMessage> = {}, where: Partial<Origin> = {}): string =>
  toInboundMessage(message(more), { ...origin, ...where }).platformMessageId;

describe("a message of a channel program", () => {
  it("is of the kind it says, else of its channel's, else of what the program reports", () => {
    const kindOf = (more: Partial<WireMessage>): string =>
      toInboundMessage(message(more), origin).channelKind;
    expect(kindOf({ kind: "telegram", channelId: "bot" })).toBe("telegram");
    expect(kindOf({ channelId: "bot" })).toBe("bot");
    expect(kindOf({})).toBe("slack");
    expect(kindOf({ kind: "no kind\n" })).toBe("slack");
  });

  it("has the platform's identity, inside its conversation", () => {
    expect(identityOf({ metadata: { message_id: "7" } })).toBe("room:7");
    expect(identityOf({ metadata: { ts: "1.2" } })).toBe("room:1.2");
    expect(identityOf({ metadata: { event_id: "e", id: "i" } })).toBe("room:i");
    expect(identityOf({ conversationId: "other", metadata: { message_id: "7" } })).not.toBe(
      identityOf({ metadata: { message_id: "7" } }),
    );
    expect(identityOf({ metadata: { message_id: "x".repeat(600) } })).toMatch(/^derived:.{64}$/);
  });

  it("without one is the same only when all of it is, the time it was written among it", () => {
    const timed = { timestamp: "2026-01-31T12:00:00Z" };
    expect(identityOf(timed)).toBe(identityOf(timed, { connection: "second" }));
    expect(identityOf(timed)).not.toBe(identityOf(timed, { sequence: 2 }));
    expect(identityOf(timed)).not.toBe(identityOf({ ...timed, content: "hello!" }));
    // Nobody told when: then another connection brings another message.
    expect(identityOf()).toBe(identityOf());
    expect(identityOf()).not.toBe(identityOf({}, { connection: "second" }));
  });

  it("is clean text with a bounded number of facts", () => {
    const metadata = Object.fromEntries(
      Array.from({ length: 200 }, (_, index) => [`k${index}`, "\ud800\0"] as const),
    );
    const inbound = toInboundMessage(
      message({ content: "a\0b\ud800", metadata: { ...metadata, constructor: "x" } }),
      origin,
    );
    expect(inbound.content).toBe("a\uFFFDb\uFFFD");
    expect(Object.keys(inbound.metadata)).toHaveLength(128);
    expect(Object.hasOwn(inbound.metadata, "constructor")).toBe(false);
    expect(inbound.metadata["k0"]).toBe("\uFFFD\uFFFD");
    expect(inbound.sentAtMs).toBe(1_000);
  });

  it("is answered under the name its platform gave it", () => {
    const reply = (identity: string): OutboundMessage["metadata"] =>
      withPlatformIdentity({
        channel: "one",
        conversationId: "room",
        threadId: "",
        content: "",
        files: [],
        metadata: { in_reply_to: identity, type: "error" },
      }).metadata;
    expect(reply(identityOf({ metadata: { message_id: "7" } }))).toEqual({
      in_reply_to: "7",
      type: "error",
    });
    expect(reply(identityOf())).toEqual({ type: "error" });
    expect(reply("foreign")).toEqual({ in_reply_to: "foreign", type: "error" });
  });
});
