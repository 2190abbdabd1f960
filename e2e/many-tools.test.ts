import { encode } from "gpt-tokenizer";
import { expect, it } from "vitest";
import {
  createModelServer,
  type ScriptedReply,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch, fakePlugin } from "./support/scratch.ts";

const call = (name: string, args: Readonly<Record<string, unknown>> = {}): ScriptedReply => ({
  kind: "message",
  toolCalls: [{ name, arguments: args }],
});
const say = (text: string): ScriptedReply => ({ kind: "message", text });

it("a thousand actions do not fill the prompt: a model finds and loads what it needs, over turns and a restart", async () => {
  using scratch = createScratch();
  await using models = await createModelServer([
    call("fake__structured", { text: "hi" }),
    call("_meta__find_tools", { query: "structured" }),
    call("_meta__load_tools", { names: "fake__structured" }),
    call("fake__structured", { text: "hi" }),
    say("loaded"),
    call("fake__structured", { text: "hi" }),
    say("still there"),
  ]);
  const actions = [...Array.from({ length: 999 }, (_, index) => `action_${index}`), "structured"];
  const configPath = scratch.writeConfig(models.url, {
    plugins: { fake: fakePlugin({ actions }) },
  });
  for (const text of ["first\n", "second\n"]) {
    await using core = startCore({ configPath });
    core.write(text);
    core.end();
    expect(await core.exited).toBe(0);
  }

  const requests = models.requests.map(({ body }) => body);
  const results = requests.flatMap(({ messages }) => {
    const last = messages?.at(-1);
    return last?.role === "tool" ? [last.content ?? ""] : [];
  });
  expect(results[0]).toMatch(/not loaded.*_meta__load_tools/);
  expect(results[1]).toContain('{"name":"fake__structured"');
  expect(results[2]).toContain('{"loaded":["fake__structured"]');
  expect(results[3]).toContain('{"a":1}');
  expect(results[4]).toContain('{"a":1}');

  const namesOf = (index: number): readonly string[] =>
    (requests[index]?.tools ?? []).map((tool) => tool.function.name);
  const orientation = ["_meta__load_tools", "_meta__find_tools"];
  expect(namesOf(0)).toEqual(orientation);
  expect(namesOf(3)).toEqual([...orientation, "fake__structured"]);
  expect(namesOf(5)).toEqual([...orientation, "fake__structured"]);
  const tokens = encode(JSON.stringify(requests[0])).length;
  console.log(`the prompt of the first call beside 1,000 actions: ${tokens} tokens`);
  expect(tokens).toBeLessThan(5_000);
});
