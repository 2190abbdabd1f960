import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { test } from "node:test";
import { checkPlugin, startChannel } from "@opentalon/plugin-sdk/testing";

const command = [process.env["PLUGIN_PROGRAM"] ?? ""];

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

/** A person, who tries until the channel listens. */
async function join(port: number): Promise<Socket> {
  for (const giveUp = Date.now() + 10_000; ;) {
    const person = connect(port, "127.0.0.1").setEncoding("utf8");
    try {
      await once(person, "connect");
      return person;
    } catch (error) {
      if (Date.now() > giveUp) throw error;
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }
}

test("it says what it is and refuses a wrong configuration", async () => {
  await using channel = await startChannel({ command, config: { address: "127.0.0.1:0" } });
  assert.equal(channel.capabilities.id, "my-plugin");
  const refused = startChannel({ command, config: { address: "nowhere" } });
  await assert.rejects(refused, /`address` must be host:port/);
});

test("it takes what people write and delivers answers", async () => {
  const port = await findFreePort();
  await using channel = await startChannel({ command, config: { address: `127.0.0.1:${port}` } });
  const person = await join(port);
  person.write("Hello!\n");
  const { conversationId, content } = await channel.receive();
  assert.equal(content, "Hello!");
  await channel.send({ conversationId, content: "Good morning." });
  assert.deepEqual(await once(person, "data"), ["Good morning.\n"]);
  const lost = channel.send({ conversationId: "nobody", content: "?" });
  await assert.rejects(lost, /has hung up/);
  person.destroy();
});

test("it keeps the rules of a channel", async () => {
  const config = { address: "127.0.0.1:0" };
  const { results } = await checkPlugin(command, { kind: "channel", config });
  const broken = results.filter(({ outcome }) => outcome === "broken");
  assert.deepEqual(broken, []);
});
