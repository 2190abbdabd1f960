import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import { pluginMessages as wire, pluginServiceMethods as service } from "@opentalon/protocol";
import { startPlugin } from "./plugin-process.ts";

const toConfig = (config: unknown): wire.PluginInitRequest =>
  create(wire.PluginInitRequestSchema, { configJson: JSON.stringify(config) });

test("it takes its configuration and says what it can do", async () => {
  await using plugin = await startPlugin();
  await plugin.call(service.init, toConfig({}));
  const capabilities = await plugin.call(service.capabilities, create(EmptySchema));
  assert.equal(capabilities.name, "my-plugin");
  assert.deepEqual(
    capabilities.actions.map(({ name }) => name),
    ["greet", "split_bill"],
  );
  const refused = plugin.call(service.init, toConfig({ greeting: 7 }));
  await assert.rejects(refused, { code: status.INVALID_ARGUMENT });
});

test("it answers calls and explains what is wrong", async () => {
  await using plugin = await startPlugin();
  await plugin.call(service.init, toConfig({ greeting: "Welcome" }));
  const run = async (action: string, args: Record<string, string>) => {
    const call = create(wire.ToolCallRequestSchema, { id: "c1", action, args });
    const answer = await plugin.call(service.execute, call);
    assert.equal(answer.callId, "c1");
    return answer;
  };
  assert.equal((await run("greet", { name: "Ada" })).content, "Welcome, Ada!");
  assert.equal((await run("split_bill", { total: "50", people: "4" })).content, "Each pays 12.50.");
  assert.match((await run("split_bill", { total: "50", people: "0" })).error, /from 1 to 100/);
  assert.match((await run("fly", {})).error, /no action/);
});
