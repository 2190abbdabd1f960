import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { channelMessages as wire, channelServiceMethods as service } from "@opentalon/protocol";
import { startChannel } from "./plugin-process.ts";

const toConfig = (address: string): wire.ConfigureRequest =>
  create(wire.ConfigureRequestSchema, { config: { address }, instanceId: "lines" });

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  return port;
}

test("it says what it is and refuses a wrong configuration", async () => {
  await using channel = await startChannel();
  const capabilities = await channel.call(service.capabilities, create(EmptySchema));
  assert.equal(capabilities.id, "my-plugin");
  const refused = channel.call(service.configure, toConfig("nowhere"));
  await assert.rejects(refused, { code: status.INVALID_ARGUMENT });
});

test("it takes what people write and delivers answers", async () => {
  await using channel = await startChannel();
  const port = await findFreePort();
  await channel.call(service.configure, toConfig(`127.0.0.1:${port}`));
  const inbox = channel.stream(service.start, create(EmptySchema));
  inbox.on("error", () => undefined);
  await once(inbox, "metadata");
  const person = connect(port, "127.0.0.1");
  const lines = createInterface({ input: person });
  person.write("Hello!\n");
  const [message] = (await once(inbox, "data")) as [wire.InboundMessage];
  assert.equal(message.content, "Hello!");
  const { conversationId } = message;
  const answer = create(wire.OutboundMessageSchema, { conversationId, content: "Good morning." });
  const [[line]] = await Promise.all([once(lines, "line"), channel.call(service.send, answer)]);
  assert.equal(line, "Good morning.");
  const nobody = create(wire.OutboundMessageSchema, { conversationId: "nobody" });
  await assert.rejects(channel.call(service.send, nobody));
  person.destroy();
  inbox.cancel();
});
