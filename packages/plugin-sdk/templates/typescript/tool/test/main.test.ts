import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPlugin, startPlugin } from "@opentalon/plugin-sdk/testing";

const command = [process.env["PLUGIN_PROGRAM"] ?? ""];

test("it says what it can do and refuses a wrong configuration", async () => {
  await using plugin = await startPlugin({ command });
  const { name, actions } = plugin.capabilities;
  assert.equal(name, "my-plugin");
  assert.deepEqual(
    actions.map((action) => action.name),
    ["greet", "split_bill"],
  );
  const refused = startPlugin({ command, config: { greeting: 7 } });
  await assert.rejects(refused, /`greeting` must be a text/);
});

test("it answers calls and explains what is wrong", async () => {
  await using plugin = await startPlugin({ command, config: { greeting: "Welcome" } });
  assert.equal((await plugin.call("greet", { name: "Ada" })).content, "Welcome, Ada!");
  const split = (people: number) => plugin.call("split_bill", { total: 50, people });
  assert.equal((await split(4)).content, "Each pays 12.50.");
  assert.match((await split(0)).error ?? "", /from 1 to 100/);
  assert.match((await plugin.call("fly")).error ?? "", /no action/);
});

test("it keeps the rules of a plugin", async () => {
  const { results } = await checkPlugin(command);
  const broken = results.filter(({ outcome }) => outcome === "broken");
  assert.deepEqual(broken, []);
});
