import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { status } from "@grpc/grpc-js";
import { providerMessages as wire, providerServiceMethods as service } from "@opentalon/protocol";
import { startPlugin } from "./plugin-process.ts";

const toConfig = (config: unknown): wire.InitRequest =>
  create(wire.InitRequestSchema, { configJson: JSON.stringify(config) });

test("it lists its models and refuses a wrong configuration", async () => {
  await using provider = await startPlugin();
  const { models } = await provider.call(service.models, create(wire.ModelsRequestSchema));
  assert.deepEqual(
    models.map(({ id }) => id),
    ["parrot"],
  );
  const refused = provider.call(service.init, toConfig({ greeting: 7 }));
  await assert.rejects(refused, { code: status.INVALID_ARGUMENT });
});

test("it answers in pieces and explains why it cannot", async () => {
  await using provider = await startPlugin();
  await provider.call(service.init, toConfig({}));
  const ask = async (content: string): Promise<wire.CompleteEvent["kind"][]> => {
    const messages = [
      create(wire.MessageSchema, {
        kind: { case: "user", value: create(wire.UserMessageSchema, { content }) },
      }),
    ];
    const request = create(wire.CompleteRequestSchema, { model: "parrot", messages });
    const events: wire.CompleteEvent["kind"][] = [];
    for await (const event of provider.stream(service.complete, request))
      events.push((event as wire.CompleteEvent).kind);
    return events;
  };
  const events = await ask("good morning");
  const said = events.map((event) => (event.case === "textDelta" ? event.value : "")).join("");
  assert.equal(said, "You said: good morning");
  assert.equal(events.at(-1)?.case, "finish");
  const [failure] = await ask("");
  assert.ok(failure?.case === "failure");
  assert.equal(failure.value.reason, wire.FailureReason.INVALID_REQUEST);
});
