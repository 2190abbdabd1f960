import { afterEach, describe, expect, it, vi } from "vitest";
import type { Channel } from "../domain/channel.ts";
import type { OutboundMessage } from "../domain/message.ts";
import { createRecordingHost, type RecordingHost } from "./testing/recording-host.ts";

/** One channel with a platform of its own at the other end. */
export interface ChannelBench extends AsyncDisposable {
  readonly channel: Channel;
  /** A person says something on the platform; resolves when the platform has heard back, where it does. */
  readonly say: (content: string) => Promise<void>;
  /** What the platform's people can read by now: contents of replies, in order. */
  readonly readReplies: () => readonly string[];
  /** The platform, or the person, learned that a message was refused. */
  readonly sawRefusal: () => boolean;
  /** The channel holds nothing of the platform any more. */
  readonly isReleased: () => boolean;
}

/** What every channel keeps, whatever the platform. */
export function describeChannelContract(name: string, open: () => Promise<ChannelBench>): void {
  describe(`${name} as a channel`, () => {
    const opened: ChannelBench[] = [];

    afterEach(async () => {
      for (const bench of opened.splice(0)) await bench[Symbol.asyncDispose]();
    });

    const start = async (): Promise<{ bench: ChannelBench; host: RecordingHost }> => {
      const bench = await open();
      opened.push(bench);
      const host = createRecordingHost();
      await bench.channel.start(host);
      return { bench, host };
    };

    const toReply = (
      bench: ChannelBench,
      host: RecordingHost,
      content: string,
    ): OutboundMessage => {
      const asked = host.messages.at(-1);
      return {
        channel: bench.channel.name,
        conversationId: asked?.conversationId ?? "c",
        threadId: asked?.threadId ?? "",
        content,
        files: [],
        metadata: { in_reply_to: asked?.platformMessageId ?? "" },
      };
    };

    it("hands a message in and brings its answer back", async () => {
      const { bench, host } = await start();
      await bench.say("What is 6 × 7? 🎉");
      await vi.waitFor(() => expect(host.contents()).toEqual(["What is 6 × 7? 🎉"]));
      const [message] = host.messages;
      expect(message?.platformMessageId).not.toBe("");
      expect(message?.conversationId).not.toBe("");
      expect(message?.senderId).not.toBe("");
      await bench.channel.send(toReply(bench, host, "42 ✓"), "d1");
      await vi.waitFor(() => expect(bench.readReplies()).toEqual(["42 ✓"]));
    });

    it("keeps the order in both directions, and gives every message an identity of its own", async () => {
      const { bench, host } = await start();
      const contents = Array.from({ length: 50 }, (_, index) => `message ${index}`);
      for (const content of contents) await bench.say(content);
      await vi.waitFor(() => expect(host.contents()).toEqual(contents));
      const identities = host.messages.map(({ platformMessageId }) => platformMessageId);
      expect(new Set(identities).size).toBe(contents.length);
      for (const content of contents) {
        await bench.channel.send(toReply(bench, host, content), content);
      }
      await vi.waitFor(() => expect(bench.readReplies()).toEqual(contents));
    });

    it("tells when a message was not stored, and goes on", async () => {
      const { bench, host } = await start();
      host.answerWith(() => ({ kind: "refused", reason: "the disk is full", retryAfterMs: 0 }));
      await bench.say("lost");
      await vi.waitFor(() => expect(bench.sawRefusal()).toBe(true));
      host.answerWith(() => ({ kind: "accepted" }));
      await bench.say("kept");
      await vi.waitFor(() => expect(host.contents()).toEqual(["lost", "kept"]));
    });

    it("takes nothing more after stopIntake, and still delivers", async () => {
      const { bench, host } = await start();
      await bench.say("before");
      await vi.waitFor(() => expect(host.contents()).toEqual(["before"]));
      await bench.channel.stopIntake();
      await bench.say("after");
      await bench.channel.send(toReply(bench, host, "late answer"), "d1");
      await vi.waitFor(() => expect(bench.readReplies()).toEqual(["late answer"]));
      expect(host.contents()).toEqual(["before"]);
    });

    it("says what it can do before it starts", async () => {
      const bench = await open();
      opened.push(bench);
      expect(bench.channel.name).not.toBe("");
      expect(bench.channel.kind).not.toBe("");
      expect(bench.channel.capabilities().maxMessageLength).toBeGreaterThanOrEqual(0);
    });

    it("releases everything when it is disposed, also twice and without a start", async () => {
      const { bench, host } = await start();
      await bench.say("hello");
      await bench.channel.send(toReply(bench, host, "hi"), "d1");
      await bench.channel[Symbol.asyncDispose]();
      await bench.channel[Symbol.asyncDispose]();
      await vi.waitFor(() => expect(bench.isReleased()).toBe(true));
      const other = await open();
      opened.push(other);
      await other.channel[Symbol.asyncDispose]();
      await vi.waitFor(() => expect(other.isReleased()).toBe(true));
    });
  });
}
