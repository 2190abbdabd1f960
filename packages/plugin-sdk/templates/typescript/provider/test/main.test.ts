import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPlugin, startProvider } from "@opentalon/plugin-sdk/testing";

const command = [process.env["PLUGIN_PROGRAM"] ?? ""];

test("it lists its models and refuses a wrong configuration", async () => {
  await using provider = await startProvider({ command });
  assert.deepEqual(provider.models, ["parrot"]);
  const refused = startProvider({ command, config: { greeting: 7 } });
  await assert.rejects(refused, /`greeting` must be a text/);
});

test("it answers in pieces and explains why it cannot", async () => {
  await using provider = await startProvider({ command });
  const answer = await provider.complete({ model: "parrot", text: "good morning" });
  assert.deepEqual(answer.pieces, ["You ", "said: ", "good ", "morning"]);
  assert.equal(answer.finish, "STOP");
  const { failure } = await provider.complete({ model: "parrot", text: "" });
  assert.equal(failure?.reason, "INVALID_REQUEST");
});

test("it keeps the rules of a plugin", async () => {
  const { results } = await checkPlugin(command, { kind: "provider" });
  const broken = results.filter(({ outcome }) => outcome === "broken");
  assert.deepEqual(broken, []);
});
