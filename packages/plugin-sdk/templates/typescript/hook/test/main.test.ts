import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { pluginMessages as wire, pluginServiceMethods as service } from "@opentalon/protocol";
import { startPlugin } from "./plugin-process.ts";

const toConfig = (config: unknown): wire.PluginInitRequest =>
  create(wire.PluginInitRequestSchema, { configJson: JSON.stringify(config) });

test("it is kept from models and refuses a wrong configuration", async () => {
  await using plugin = await startPlugin();
  const { name, actions } = await plugin.call(service.capabilities, create(EmptySchema));
  assert.equal(name, "my-plugin");
  assert.deepEqual(
    actions.map(({ name: action, userOnly }) => [action, userOnly]),
    [
      ["prepare", true],
      ["format", true],
    ],
  );
  const refused = plugin.call(service.init, toConfig({ words: 7 }));
  await assert.rejects(refused, { code: status.INVALID_ARGUMENT });
});

test("it prepares messages and formats answers", async () => {
  await using plugin = await startPlugin();
  await plugin.call(service.init, toConfig({ words: { PTO: "paid time off" } }));
  const run = async (action: string, text: string): Promise<string> => {
    const call = create(wire.ToolCallRequestSchema, { id: "c1", action, args: { text } });
    const { callId, content } = await plugin.call(service.execute, call);
    assert.equal(callId, "c1");
    return content;
  };
  assert.deepEqual(JSON.parse(await run("prepare", "my PTO")), { message: "my paid time off" });
  assert.match(await run("prepare", "Her salary?"), /"send_to_llm":false/);
  assert.equal(await run("format", "Fine."), "Fine.");
  assert.match(await run("format", "A refund is due."), /decided by people/);
});
