import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPlugin, startPlugin } from "@opentalon/plugin-sdk/testing";

const command = [process.env["PLUGIN_PROGRAM"] ?? ""];

test("it is kept from models and refuses a wrong configuration", async () => {
  await using plugin = await startPlugin({ command });
  const { name, actions } = plugin.capabilities;
  assert.equal(name, "my-plugin");
  assert.deepEqual(
    actions.map((action) => [action.name, action.userOnly]),
    [
      ["prepare", true],
      ["format", true],
    ],
  );
  const refused = startPlugin({ command, config: { words: 7 } });
  await assert.rejects(refused, /`words` must map words to texts/);
});

test("it prepares messages and formats answers", async () => {
  await using plugin = await startPlugin({ command, config: { words: { PTO: "paid time off" } } });
  const run = async (action: string, text: string) => (await plugin.call(action, { text })).content;
  assert.deepEqual(JSON.parse(await run("prepare", "my PTO")), { message: "my paid time off" });
  assert.match(await run("prepare", "Her salary?"), /"send_to_llm":false/);
  assert.equal(await run("format", "Fine."), "Fine.");
  assert.match(await run("format", "A refund is due."), /decided by people/);
});

test("it keeps the rules of a plugin", async () => {
  const { results } = await checkPlugin(command);
  const broken = results.filter(({ outcome }) => outcome === "broken");
  assert.deepEqual(broken, []);
});
