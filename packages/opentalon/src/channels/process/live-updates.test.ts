import { describe, expect, it, vi } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import { plainCapabilities } from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import type { Turn, TurnEvent } from "../../domain/turn.ts";
import type { ReportedChannel } from "./channel-wire.ts";
import { createLiveUpdates } from "./live-updates.ts";

const turn: Turn = {
  id: "t1",
  sessionKey: "s",
  attempt: 1,
  message: {
    channel: "one",
    channelKind: "fake",
    platformMessageId: "room:7",
    conversationId: "room",
    threadId: "thread",
    senderId: "ann",
    senderName: "Ann",
    content: "hello",
    files: [],
    metadata: {},
    sentAtMs: 0,
  },
};

const reply: OutboundMessage = {
  channel: "one",
  conversationId: "room",
  threadId: "thread",
  content: "All of it.",
  files: [],
  metadata: { in_reply_to: "room:7" },
};

function open(reported: Partial<ReportedChannel> = {}, post = async (): Promise<void> => {}) {
  const clock = createManualClock();
  const posted: OutboundMessage[] = [];
  const channel: ReportedChannel = {
    id: "fake",
    name: "Fake",
    capabilities: plainCapabilities,
    liveUpdates: false,
    typing: false,
    knowsRepeats: false,
    ...reported,
  };
  const live = createLiveUpdates({
    reported: () => channel,
    post: async (message) => {
      posted.push(message);
      await post();
    },
    clock,
  });
  const show = (...events: readonly TurnEvent[]): void => {
    for (const event of events) live.show(turn, event);
  };
  /** Time, and the promises of what happened at it. */
  const pass = async (byMs: number): Promise<void> => {
    clock.advance(byMs);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const texts = (): readonly string[] => posted.map(({ content }) => content);
  return { live, posted, show, pass, texts };
}

const say = (text: string): TurnEvent => ({ kind: "text-delta", text });

describe("live updates", () => {
  it("send nothing to a channel that did not ask for it", async () => {
    const { posted, show, pass, live } = open();
    show({ kind: "turn-started" }, say("All"));
    await pass(60_000);
    show({ kind: "turn-finished", outcome: "answered" });
    expect(posted).toEqual([]);
    expect(await live.finish(reply)).toBe(reply);
  });

  it.each([
    { typing: true, signs: 3 },
    // Older ones, at first only when it takes long.
    { id: "http", signs: 2 },
    { id: "slack", signs: 2 },
  ])(
    "tell a channel with %o that an answer is being written, until it is there",
    async ({ signs, ...reported }) => {
      const { posted, show, pass } = open(reported);
      show({ kind: "turn-started" });
      await pass(25_000);
      await pass(25_000);
      expect(posted).toHaveLength(signs);
      expect(posted[0]).toMatchObject({
        content: "",
        threadId: "thread",
        metadata: { _typing: "true", in_reply_to: "room:7" },
      });
      show({ kind: "turn-finished", outcome: "answered" });
      await pass(60_000);
      expect(posted).toHaveLength(signs);
    },
  );

  it("show how an answer grows, once a second at most, and mark its end", async () => {
    const { live, posted, show, pass, texts } = open({ liveUpdates: true });
    show({ kind: "turn-started" }, say("All"), say(" of"));
    await pass(1_000);
    show(say(" it"));
    await pass(500);
    expect(texts()).toEqual(["All of"]);
    await pass(500);
    await pass(5_000);
    expect(texts()).toEqual(["All of", "All of it"]);
    expect(posted[1]?.metadata).toEqual({
      in_reply_to: "room:7",
      _live: "t1",
      _live_state: "partial",
    });
    show({ kind: "turn-finished", outcome: "answered" });
    const final = await live.finish(reply);
    expect(final).toEqual({
      ...reply,
      metadata: { in_reply_to: "room:7", _live: "t1", _live_state: "final" },
    });
    // A delivery that is tried again is still the end of the same answer; the rest of a long one is not.
    expect(await live.finish(reply)).toEqual(final);
    live.settle(reply);
    expect(await live.finish(reply)).toBe(reply);
  });

  it("are in the format the channel shows, however much of a mark is there", async () => {
    const capabilities = { ...plainCapabilities, responseFormat: "telegram" };
    const { show, pass, texts } = open({ liveUpdates: true, capabilities });
    show({ kind: "turn-started" }, say("**"));
    await pass(1_000);
    show(say("Bold & mo"));
    await pass(1_000);
    expect(texts()).toEqual(["<b>Bold &amp; mo</b>"]);
  });

  it("begin anew after an attempt that failed, and keep to the length of the platform", async () => {
    const capabilities = { ...plainCapabilities, maxMessageLength: 10 };
    const { show, pass, texts } = open({ liveUpdates: true, capabilities });
    show({ kind: "turn-started" }, say("wrong"));
    await pass(1_000);
    show({ kind: "text-reset" }, say("much longer than ten"));
    await pass(1_000);
    expect(texts()[0]).toBe("wrong");
    expect(texts()[1]?.length).toBeLessThanOrEqual(10);
  });

  it("wait for the update under way before the end is sent, and survive a channel that refuses them", async () => {
    const under = Promise.withResolvers<void>();
    const { live, show, pass } = open({ liveUpdates: true }, () => under.promise);
    show({ kind: "turn-started" }, say("All"));
    await pass(1_000);
    let isFinished = false;
    const finishing = live.finish(reply).then((message) => {
      isFinished = true;
      return message;
    });
    await pass(0);
    expect(isFinished).toBe(false);
    under.reject(new Error("no"));
    expect((await finishing).metadata["_live_state"]).toBe("final");
    live.stop();
    await vi.waitFor(() => expect(isFinished).toBe(true));
  });
});
