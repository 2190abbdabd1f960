import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import { createRecentLines } from "../../plugins/recent-lines.ts";
import { isRunning } from "../../plugins/testing/launch-fake.ts";
import type { Channel } from "../../domain/channel.ts";
import {
  type FakeChannel,
  openFakeChannel,
  type OpenFakeOptions,
} from "../testing/open-fake-channel.ts";
import {
  createRecordingHost,
  rememberIdentities,
  type RecordingHost,
} from "../testing/recording-host.ts";

const patient = { timeout: 60_000 };
const generations = ["grpc", "json"] as const;

interface Started extends FakeChannel {
  readonly host: RecordingHost;
}

async function start(options: OpenFakeOptions = {}): Promise<Started> {
  const opened = await openFakeChannel(options);
  onTestFinished(() => opened[Symbol.asyncDispose]());
  const host = createRecordingHost();
  await opened.channel.start(host);
  return { ...opened, host };
}

const toReply = (content: string, more: Partial<OutboundMessage> = {}): OutboundMessage => ({
  channel: "fake-one",
  conversationId: "room",
  threadId: "",
  content,
  files: [],
  metadata: {},
  ...more,
});

describe("a channel that is a program", () => {
  it("is told its configuration and its own name, and tells its tools", async () => {
    const { channel, chat } = await start({ config: { bot_token: "xoxb", retries: 3 } });
    await vi.waitFor(() => expect(chat.starts).toHaveLength(1));
    expect(chat.starts[0]?.instance).toBe("fake-one");
    expect(chat.starts[0]?.config).toMatch(/bot_token.*xoxb/s);
    expect(channel.capabilities()).toMatchObject({ threads: true, responseFormat: "markdown" });
    expect(channel.findProblem?.()).toBeUndefined();
    expect(channel.tools?.()).toEqual([
      expect.objectContaining({
        plugin: "fake",
        action: "react",
        method: "POST",
        headers: { Authorization: "Bearer {{env.TOKEN}}" },
        requiredEnvironment: ["TOKEN"],
        parameters: [{ name: "message", description: "", required: true }],
      }),
    ]);
  });

  it("is told its name also when it has no configuration, and need not know Configure at all", async () => {
    const { chat } = await start();
    await vi.waitFor(() => expect(chat.starts).toHaveLength(1));
    expect(chat.starts[0]?.instance).toBe("fake-one");
    const { channel, chat: other } = await start({ fake: { start: "no-configure" } });
    await vi.waitFor(() => expect(other.starts).toHaveLength(1));
    expect(channel.tools?.()).toEqual([]);
  });

  it("may say on its standard output where it listens", async () => {
    const { chat, host } = await start({ fake: { listen: "told" } });
    await chat.say("hello");
    await vi.waitFor(() => expect(host.contents()).toEqual(["hello"]));
  });

  it("gets nothing of our environment but what it is given", async () => {
    process.env["SOME_SECRET"] = "very secret";
    onTestFinished(() => void delete process.env["SOME_SECRET"]);
    const { chat } = await start({ settings: { env: { OWN: "yes" } } });
    await vi.waitFor(() => expect(chat.pids).toHaveLength(1));
    const environment = await readFile(`/proc/${chat.pids[0]}/environ`, "utf8").catch(
      () => "OWN=yes",
    );
    expect(environment).toContain("OWN=yes");
    expect(environment).not.toContain("very secret");
  });

  it("is told which message is on disk, and not of one that was left", async () => {
    const { channel, chat, host } = await start({ fake: { receipts: true } });
    const storing = Promise.withResolvers<{ readonly kind: "accepted" }>();
    host.answerWith(() => storing.promise);
    await chat.say("first");
    await vi.waitFor(() => expect(host.contents()).toEqual(["first"]));
    await chat.say("second");
    expect(chat.acknowledged).toEqual([]);
    storing.resolve({ kind: "accepted" });
    await vi.waitFor(() => {
      expect(chat.acknowledged).toEqual(["receipt of first", "receipt of second"]);
    });
    host.answerWith(() => new Promise(() => {}));
    await chat.say("third");
    await vi.waitFor(() => expect(host.contents()).toHaveLength(3));
    await channel[Symbol.asyncDispose]();
    expect(chat.acknowledged).toHaveLength(2);
  });

  it("is told again what it did not hear, and begins anew where it never hears it", async () => {
    const { chat } = await start({ fake: { receipts: true, mishears: 2 } });
    await chat.say("first");
    await vi.waitFor(() => expect(chat.acknowledged).toEqual(["receipt of first"]), patient);
    expect(chat.starts).toHaveLength(1);
    const { chat: other } = await start({ fake: { receipts: true, mishears: 1_000 } });
    await other.say("second");
    await vi.waitFor(() => expect(other.starts).toHaveLength(2), patient);
  });

  it("may recognise a delivery that it has seen", async () => {
    const { channel, chat } = await start({ fake: { knowsRepeats: true } });
    expect(channel.knowsRepeats).toBe(true);
    await channel.send(toReply("once"), "d1");
    await vi.waitFor(() => expect(chat.sent[0]?.delivery_id).toBe("d1"));
    const { channel: other } = await start();
    expect(other.knowsRepeats).toBe(false);
  });

  describe.each(generations)("over %s", (generation) => {
    it("hands over all of a message, and is given all of a reply", async () => {
      const { channel, chat, host } = await start({ fake: { generation, id: "slack" } });
      const data = Buffer.from("abc");
      await chat.say("hi \u0000 there", {
        conversation_id: "c:1",
        thread_id: "t",
        sender_id: "u",
        sender_name: "Ann",
        files: [{ name: "a.txt", mime_type: "text/plain", data: data.toString("base64") }],
        metadata: { message_id: "42", colour: "red" },
      });
      await vi.waitFor(() => expect(host.messages).toHaveLength(1));
      const [message] = host.messages;
      expect(message).toMatchObject({
        channelKind: "slack",
        platformMessageId: "c:1:42",
        conversationId: "c:1",
        threadId: "t",
        senderId: "u",
        senderName: "Ann",
        content: "hi \uFFFD there",
        metadata: { message_id: "42", colour: "red" },
      });
      expect(
        message?.files.map(({ name, data: bytes }) => [name, Buffer.from(bytes).toString()]),
      ).toEqual([["a.txt", "abc"]]);
      await channel.send(
        toReply("ho", {
          conversationId: "c:1",
          threadId: "t",
          files: [{ name: "b.png", mimeType: "image/png", data }],
          metadata: { in_reply_to: "c:1:42", type: "system" },
        }),
        "d1",
      );
      await vi.waitFor(() => expect(chat.sent).toHaveLength(1));
      expect(chat.sent[0]).toEqual({
        delivery_id: generation === "grpc" ? "d1" : "",
        conversation_id: "c:1",
        thread_id: "t",
        content: "ho",
        files: [{ name: "b.png", size: 3 }],
        // What the platform calls it.
        metadata: { in_reply_to: "42", type: "system" },
      });
    });

    it("tells messages without an identity of their own apart", async () => {
      const { channel, chat, host } = await start({ fake: { generation, anonymous: true } });
      host.answerWith(rememberIdentities());
      for (let index = 0; index < 3; index += 1) await chat.say("ok");
      await vi.waitFor(() => expect(host.contents()).toEqual(["ok", "ok", "ok"]));
      const identities = new Set(host.messages.map(({ platformMessageId }) => platformMessageId));
      expect(identities.size).toBe(3);
      const [identity = ""] = identities;
      await channel.send(toReply("yes", { metadata: { in_reply_to: identity } }), "d1");
      await vi.waitFor(() => expect(chat.sent[0]?.metadata).toEqual({}));
    });

    it("holds a flood back while messages are being stored, and loses none of it", async () => {
      const { channel, chat, host } = await start({ fake: { generation } });
      const gate = Promise.withResolvers<void>();
      host.answerWith(async () => {
        await gate.promise;
        return { kind: "accepted" };
      });
      await chat.tell({ do: "flood", count: 2_000 });
      await vi.waitFor(() => expect(host.messages).toHaveLength(1));
      // What is said to the platform is not stuck behind what comes from there.
      await channel.send(toReply("meanwhile"), "d1");
      expect(host.messages).toHaveLength(1);
      gate.resolve();
      await vi.waitFor(() => expect(host.messages).toHaveLength(2_000), patient);
      expect(host.contents()).toEqual(
        Array.from({ length: 2_000 }, (_, index) => `flood ${index}`),
      );
    });

    it("asks again until a message is stored when there was no room for it", async () => {
      const { chat, host } = await start({ fake: { generation } });
      let refusals = 3;
      host.answerWith(() => {
        refusals -= 1;
        return refusals < 0
          ? { kind: "accepted" }
          : { kind: "refused", reason: "the inbox is full", retryAfterMs: 1 };
      });
      await chat.say("patience");
      await chat.say("next");
      await vi.waitFor(
        () => expect(host.contents()).toEqual([...Array<string>(4).fill("patience"), "next"]),
        patient,
      );
      expect(chat.sent).toEqual([]);
    });

    it("tells an answer the platform refused from one nobody knows about", async () => {
      const { channel, chat } = await start({ fake: { generation } });
      await vi.waitFor(() => expect(chat.starts).toHaveLength(1));
      await chat.tell({ do: "fail" });
      await vi.waitFor(async () => {
        await expect(channel.send(toReply("no"), "d1")).rejects.toMatchObject({
          outcome: "not-delivered",
          message: expect.stringContaining("the platform is full") as string,
        });
      });
      await chat.tell({ do: "stall" });
      const [before = 0] = chat.pids;
      const killing = new Promise<void>((resolve) => {
        setTimeout(() => resolve(void process.kill(before, "SIGKILL")), 300);
      });
      await expect(sendUntilStalled(channel)).rejects.toMatchObject({ outcome: "unknown" });
      await killing;
    });

    it("does not run and says why, and is started again, when its process dies", async () => {
      const { channel, chat, host } = await start({ fake: { generation } });
      await chat.say("before");
      await vi.waitFor(() => expect(host.contents()).toEqual(["before"]));
      await chat.tell({ do: "die" });
      await vi.waitFor(
        () => expect(channel.findProblem?.()).toMatch(/ended with exit code 7/),
        patient,
      );
      await expect(channel.send(toReply("lost"), "d1")).rejects.toMatchObject({
        outcome: "not-delivered",
      });
      await vi.waitFor(() => expect(chat.starts).toHaveLength(2), patient);
      await vi.waitFor(() => expect(channel.findProblem?.()).toBeUndefined());
      await chat.say("after");
      await vi.waitFor(() => expect(host.contents()).toEqual(["before", "after"]));
      expect(host.finishedCount()).toBe(0);
    });

    it.each(["end", "half"])("is started again after %s", async (what) => {
      const { chat, host } = await start({ fake: { generation } });
      await vi.waitFor(() => expect(chat.starts).toHaveLength(1));
      await chat.tell({ do: what });
      await vi.waitFor(() => expect(chat.starts).toHaveLength(2), patient);
      await chat.say("still here");
      await vi.waitFor(() => expect(host.contents()).toContain("still here"), patient);
    });
  });

  it("comes back soon after each life in which it did something, and later and later after others", async () => {
    const lines = createRecentLines(systemClock);
    const { chat, host } = await start({ log: lines.record(createSilentLog()) });
    const pauses = (): readonly string[] =>
      lines.last(50).flatMap(({ text }) => /retryInMs\W+(\d+)/.exec(text)?.[1] ?? []);
    for (const content of ["one", "two", "three"]) {
      await chat.say(content);
      await vi.waitFor(() => expect(host.contents().at(-1)).toBe(content), patient);
      const before = chat.starts.length;
      await chat.tell({ do: "die" });
      await vi.waitFor(() => expect(chat.starts.length).toBeGreaterThan(before), patient);
    }
    await chat.tell({ do: "die" });
    await vi.waitFor(() => expect(pauses()).toEqual(["200", "200", "200", "1000"]), patient);
  });

  it("says with its last words why it cannot start", async () => {
    const { channel } = await start({ fake: { start: "crash" } });
    expect(channel.findProblem?.()).toMatch(
      /the channel "fake-one" ended with exit code 3 before it listened on its socket; its last words: error: the platform has no such token; trying again in 1 s/,
    );
  });

  it("says which configuration it refuses", async () => {
    const { channel } = await start({ fake: { start: "refuse-configuration" } });
    expect(channel.findProblem?.()).toMatch(/`bot_token` is missing/);
  });

  it("is given up for this time when it never listens, or listens and never speaks", async () => {
    const never = await start({ fake: { start: "never-ready" }, readyTimeoutMs: 300 });
    expect(never.channel.findProblem?.()).toMatch(/made no socket within 300 ms.*channel\.sock/);
    const silent = await start({ fake: { start: "silent" } });
    expect(silent.channel.findProblem?.()).toMatch(/did not let itself be connected to within 5 s/);
  });

  it("leaves no process, folder or note behind, and its own folder to its next start", async () => {
    const opened = await openFakeChannel();
    const host = createRecordingHost();
    await opened.channel.start(host);
    await vi.waitFor(() => expect(opened.chat.pids).toHaveLength(1));
    const [pid = 0] = opened.chat.pids;
    await opened.channel[Symbol.asyncDispose]();
    expect(await isRunning(pid)).toBe(false);
    expect(await readdir(join(opened.dataDirectory, "channel-processes/plugin-folders"))).toEqual(
      [],
    );
    expect(await readdir(join(opened.dataDirectory, "channels"))).toEqual(["fake-one"]);
    await opened[Symbol.asyncDispose]();
  });
});

/** Until one is stuck: the fake hears of its own stalling a moment later. */
async function sendUntilStalled(channel: Channel): Promise<never> {
  for (let index = 0; ; index += 1) {
    await channel.send(toReply(`try ${index}`), `d${index}`).catch((error: unknown) => {
      const { outcome } = error as { outcome?: string };
      if (outcome === "unknown") throw error;
    });
  }
}
