import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { checkPlugin, startPlugin } from "@opentalon/plugin-sdk/testing";

const command = [process.execPath, join(import.meta.dirname, "main.ts")];
const ada = { context: { entity_id: "console:ada" } };
const bob = { context: { entity_id: "console:bob" } };

test("everybody has notes of their own", async () => {
  await using notes = await startPlugin({ command });
  await notes.call("add", { text: "Water the plants" }, ada);
  assert.equal((await notes.call("list", {}, ada)).content, "1. Water the plants");
  assert.equal((await notes.call("list", {}, bob)).content, "There are no such notes.");
});

test("a note that does not fit is refused in words for the model", async () => {
  await using notes = await startPlugin({ command, config: { max_notes: 1 } });
  await notes.call("add", { text: "One" }, ada);
  const { error } = await notes.call("add", { text: "Two" }, ada);
  assert.equal(error, "there are 1 notes already, no more fit");
});

test("a wrong configuration keeps it from starting", async () => {
  const start = startPlugin({ command, config: { max_notes: 0 } });
  await assert.rejects(start, /`max_notes` must be a whole number of at least 1/);
});

test("it keeps the rules of a plugin", async () => {
  const { results } = await checkPlugin(command);
  assert.deepEqual(
    results.filter(({ outcome }) => outcome === "broken"),
    [],
  );
});
