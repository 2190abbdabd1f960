import { afterEach, describe, expect, it, vi } from "vitest";
import type { ChannelBench, Lacks } from "./testing/contract/channel-bench.ts";
import {
  type OpenBench,
  patient,
  startBench,
  type StartedBench,
  toContents,
  toReply,
} from "./testing/contract/contract-run.ts";
import { describeTalking, sayAll } from "./testing/contract/describe-talking.ts";
import { describeTrouble } from "./testing/contract/describe-trouble.ts";

export type { ChannelBench } from "./testing/contract/channel-bench.ts";

/**
 * What every channel keeps, whatever the platform. `lacks` names what the platform has not, with the reason, which then stands
 * in the title of what is left out; without it only what needs no more than the least of a bench is tried.
 */
export function describeChannelContract(name: string, open: OpenBench, lacks?: Lacks): void {
  describe(`${name} as a channel`, () => {
    const opened: ChannelBench[] = [];

    afterEach(async () => {
      for (const bench of opened.splice(0)) await bench[Symbol.asyncDispose]();
    });

    const start = async (): Promise<StartedBench> => {
      const started = await startBench(open);
      opened.push(started.bench);
      return started;
    };
    /** To the newest message. */
    const reply = (content: string, { bench, host }: StartedBench): ReturnType<typeof toReply> =>
      toReply(bench.channel, host.messages.at(-1), content);

    it("hands a message in and brings its answer back", async () => {
      const { bench, host } = await start();
      await bench.say("What is 6 × 7? 🎉");
      await vi.waitFor(() => expect(host.contents()).toEqual(["What is 6 × 7? 🎉"]));
      const [message] = host.messages;
      expect(message?.platformMessageId).not.toBe("");
      expect(message?.conversationId).not.toBe("");
      expect(message?.senderId).not.toBe("");
      await bench.channel.send(reply("42 ✓", { bench, host }), "d1");
      await vi.waitFor(() => expect(bench.readReplies()).toEqual(["42 ✓"]));
    });

    const count = lacks === undefined ? 50 : 1_000;
    const replyCount = Math.min(count, 200);
    it(`keeps the order of ${count} messages and ${replyCount} replies, and gives every message an identity of its own`, async () => {
      const { bench, host } = await start();
      const contents = toContents(count, "message");
      await sayAll({ bench, host }, contents);
      await vi.waitFor(() => expect(host.messages).toHaveLength(count), patient);
      expect(host.contents()).toEqual(contents);
      const identities = host.messages.map(({ platformMessageId }) => platformMessageId);
      expect(new Set(identities).size).toBe(count);
      const replies = toContents(replyCount, "reply");
      for (const content of replies)
        await bench.channel.send(reply(content, { bench, host }), content);
      await vi.waitFor(() => expect(bench.readReplies()).toEqual(replies), patient);
    }, 60_000);

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
      await bench.channel.send(reply("late answer", { bench, host }), "d1");
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
      await bench.channel.send(reply("hi", { bench, host }), "d1");
      await bench.channel[Symbol.asyncDispose]();
      await bench.channel[Symbol.asyncDispose]();
      await vi.waitFor(() => expect(bench.isReleased()).toBe(true));
      const other = await open();
      opened.push(other);
      await other.channel[Symbol.asyncDispose]();
      await vi.waitFor(() => expect(other.isReleased()).toBe(true));
    });
  });
  if (lacks === undefined) return;
  describeTalking(name, open, lacks);
  describeTrouble(name, open, lacks);
}
