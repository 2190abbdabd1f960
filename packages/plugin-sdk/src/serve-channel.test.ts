import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkChannelDefinition } from "./define-channel.ts";
import type { StartedChannel, StartChannelOptions } from "./testing-kit/start-channel.ts";
import { startChannel } from "./testing-kit/start-channel.ts";
import { sourceArguments } from "./testing/source-arguments.ts";

const command = [
  process.execPath,
  ...sourceArguments,
  fileURLToPath(new URL("testing/lines-channel.ts", import.meta.url)),
];
const start = (options: Partial<StartChannelOptions> = {}): Promise<StartedChannel> =>
  startChannel({ command, ...options });
const patience = { timeout: 10_000 };

describe("a channel made with serveChannel", () => {
  test("says what it can do and which tools it has", async () => {
    await using channel = await start();
    expect(channel.capabilities).toEqual({
      id: "lines",
      name: "Lines",
      threads: true,
      files: true,
      reactions: false,
      edits: false,
      maxMessageLength: 200,
      responseFormat: "markdown",
      responseFormatPrompt: "",
    });
    expect(channel.tools).toEqual([
      { action: "react", method: "POST", url: "https://example.invalid/{{args.message}}" },
    ]);
  });

  test("owns its terminal: nothing it prints goes elsewhere, and nothing else is printed", async () => {
    await using channel = await start();
    channel.type("hello\n");
    await channel.receive();
    await channel.send({ conversationId: "terminal", content: "good day" });
    await expect
      .poll(() => channel.stdout, patience)
      .toEqual(["before serving", "said good day  "]);
  });

  test("is told its configuration and which instance it is, and can refuse", async () => {
    await using channel = await start({ config: { greeting: "hi", number: 3 }, instanceId: "two" });
    channel.type("hello\n");
    expect(await channel.receive()).toMatchObject({
      conversationId: "terminal",
      senderId: "me",
      content: "hello hi two two",
      kind: "lines",
    });
    await expect(start({ config: { fail: true } })).rejects.toThrow(
      "INVALID_ARGUMENT: configure: `fail` must not be true (Configure)",
    );
  });

  test("hands over all of a message, half characters replaced", async () => {
    await using channel = await start();
    channel.type("whole\n");
    const message = await channel.receive();
    expect(message).toMatchObject({
      content: "half a pair: \ufffd",
      threadId: "t1",
      senderName: "Me",
      metadata: { message_id: "m1", colour: "red" },
      sentAt: new Date(86_400_000),
      files: [{ name: "a.txt", mimeType: "text/plain" }],
    });
    expect(Buffer.from(message.files[0]?.data ?? []).toString()).toBe("abc");
  });

  test("delivers, says why it cannot, and shows that somebody writes", async () => {
    await using channel = await start();
    const conversationId = "terminal";
    const file = { name: "b.txt", mimeType: "text/plain", data: Buffer.from("b") };
    await channel.send({ conversationId, threadId: "t", content: "here", files: [file] });
    await channel.send({ conversationId, content: "", metadata: { _typing: "true" } });
    await expect
      .poll(() => channel.stdout.slice(1), patience)
      .toEqual(["said here t b.txt", "typing in terminal"]);
    await expect(channel.send({ conversationId, content: "fail" })).rejects.toThrow(
      "UNKNOWN: send: the platform is full",
    );
    await expect(
      channel.send({ conversationId, content: "wait" }, { timeoutMs: 200 }),
    ).rejects.toThrow("did not answer within 200 ms");
  });

  test("tells what a message became, and that nobody knows whether it arrived", async () => {
    await using channel = await start();
    const conversationId = "terminal";
    expect(await channel.send({ conversationId, content: "here", deliveryId: "d1" })).toEqual({
      messageIds: ["posted-d1"],
    });
    await expect(channel.send({ conversationId, content: "unclear" })).rejects.toThrow(
      "DEADLINE_EXCEEDED: send: the platform went silent",
    );
  });

  test("knows when a message is on disk, from a host that tells", async () => {
    await using channel = await start();
    channel.type("one\ntwo\n");
    await channel.receive();
    await expect.poll(() => channel.stderr, patience).toContain("stored one");
    expect(channel.stderr).not.toContain("stored two");
    await using other = await start({ acknowledges: false });
    other.type("one\ntwo\n");
    await expect.poll(() => other.stderr, patience).toContain("stored two");
  });

  test("ends its stream when it ends, and stays for what is still to be said", async () => {
    await using channel = await start();
    channel.type(undefined);
    await channel.ended;
    await expect(channel.receive()).rejects.toThrow("ended its stream of messages");
    await channel.send({ conversationId: "terminal", content: "bye" });
    await expect.poll(() => channel.stdout, patience).toContain("said bye  ");
  });

  test("says why it cannot listen", async () => {
    await using channel = await start({ config: { greeting: "refuse" } });
    await expect(channel.ended).rejects.toThrow("UNKNOWN: start: the platform refused the token");
    await expect(channel.receive()).rejects.toThrow("refused the token");
  });

  test("waits for a host that reads slowly", async () => {
    await using channel = await start({ acknowledges: false });
    channel.type("flood\n");
    await channel.receive();
    await expect.poll(() => channel.stderr, patience).toContain("handed over 0");
    for (let round = 0; round < 5; round += 1)
      await channel.send({ conversationId: "terminal", content: "still here" });
    expect(channel.stderr).not.toContain("handed over 99000");
  });

  test("finishes what is under way on SIGINT, lets go of the platform and removes its socket", async () => {
    const channel = await start();
    const sent = channel.send({ conversationId: "terminal", content: "slow" });
    // Once another one was answered, the slow one has arrived, too.
    await channel.send({ conversationId: "terminal", content: "quick" });
    expect(await Promise.all([channel.stop(), sent])).toEqual([
      { exitCode: 0, signal: undefined, leftovers: [] },
      { messageIds: [] },
    ]);
    expect(channel.stderr).toContain("closed the platform");
  });
});

test.each([
  [{ id: "a b" }, "needs 1 to 64 letters"],
  [{ start: undefined }, "needs a function `start`"],
  [{ capabilities: { maxMessageLength: -1 } }, "must be a whole number"],
])("a channel that no host takes is refused: %j", (change, problem) => {
  const channel = { id: "a", name: "A", start: () => {}, send: () => {}, ...change };
  expect(() => checkChannelDefinition(channel as never)).toThrow(problem);
});
