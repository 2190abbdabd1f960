import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { checkPlugin, startChannel, type StartedChannel } from "@opentalon/plugin-sdk/testing";

const command = [process.execPath, join(import.meta.dirname, "main.ts")];

/** A person who connects; the port stands on the channel's standard error. */
async function connectTo(channel: StartedChannel): Promise<Socket> {
  const isSaid = (): string | undefined =>
    channel.stderr.map((line) => /^listening on port (\d+)$/.exec(line)?.[1]).find(Boolean);
  while (isSaid() === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  const socket = connect(Number(isSaid()), "127.0.0.1").setEncoding("utf8");
  await once(socket, "connect");
  return socket;
}

test("a line becomes a message, and the answer comes back", async () => {
  await using channel = await startChannel({ command, config: { port: 0 } });
  const ada = await connectTo(channel);
  ada.write("hello\n\nare you there?\n");
  const first = await channel.receive();
  assert.deepEqual([first.content, first.senderId], ["hello", "guest"]);
  assert.equal((await channel.receive()).content, "are you there?");
  await channel.send({ conversationId: first.conversationId, content: "Yes." });
  assert.deepEqual(await once(ada, "data"), ["Yes.\n"]);
  ada.destroy();
});

test("people do not hear each other", async () => {
  await using channel = await startChannel({ command, config: { port: 0 } });
  const [ada, bob] = [await connectTo(channel), await connectTo(channel)];
  ada.write("I am Ada\n");
  const { conversationId } = await channel.receive();
  bob.write("I am Bob\n");
  assert.notEqual((await channel.receive()).conversationId, conversationId);
  ada.destroy();
  await once(ada, "close");
  await assert.rejects(async () => {
    for (;;) await channel.send({ conversationId, content: "Still there?" });
  }, /the person has hung up/);
  bob.destroy();
});

test("a wrong port is refused in words", async () => {
  const start = startChannel({ command, config: { port: 1.5 } });
  await assert.rejects(start, /`port` must be a whole number up to 65535/);
});

test("it keeps the rules of a channel, and stops without leaving anything", async () => {
  const { results } = await checkPlugin(command, { config: { port: 0 } });
  assert.deepEqual(
    results.filter(({ outcome }) => outcome === "broken"),
    [],
  );
  const channel = await startChannel({ command, config: { port: 0 } });
  assert.deepEqual(await channel.stop(), { exitCode: 0, signal: undefined, leftovers: [] });
});
