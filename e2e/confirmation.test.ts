import { join } from "node:path";
import { expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore, type CoreProcess } from "./support/core-process.ts";
import { createScratch, fakePlugin, root } from "./support/scratch.ts";
import { sourceArguments } from "../packages/opentalon/src/base/testing/source-arguments.ts";

const patient = { timeout: 60_000 };
const pipeline = { confirmation_plugin: "gate", confirmation_action: "decide" };
const gate = {
  enabled: true,
  plugin: [process.execPath, ...sourceArguments, join(root, "e2e/support/gate-plugin.ts")],
};
const call = (name: string, text: string) =>
  ({ kind: "message", toolCalls: [{ name, arguments: { text } }] }) as const;
const say = (text: string) => ({ kind: "message", text }) as const;

/** Says a line and waits for the whole answer, which ends with `end`. */
async function converse(core: CoreProcess, line: string, end: string): Promise<string> {
  const before = core.output().length;
  core.write(`${line}\n`);
  await expect.poll(() => core.output().slice(before), patient).toContain(end);
  return core.output().slice(before);
}

it("calls that a person must agree to wait for a yes, over a restart, and are made once", async () => {
  using scratch = createScratch();
  await using models = await createModelServer([
    call("fake__structured", "harmless"),
    call("fake__slow", "pay ann"),
    say("Shall I pay?"),
    call("fake__slow", "pay ann"),
    say("paid"),
    call("fake__slow", "pay ann"),
    say("Again?"),
  ]);
  const configPath = scratch.writeConfig(models.url, {
    orchestrator: { pipeline },
    plugins: { fake: fakePlugin(), gate },
  });
  const told = (): readonly unknown[] =>
    models.requests.map(({ body }) => body.messages?.at(-1)?.content);
  {
    await using core = startCore({ configPath });
    await core.ready();
    const question = await converse(core, "pay ann", "done once.");
    expect(question).toContain("Shall I pay?\n\nThis is done only with your word:");
    expect(question).toContain('`fake__slow {"text":"pay ann"}`');
    expect(told()[1]).toContain('{"a":1}');
    expect(told()[2]).toContain("fake__slow was not called yet: the person has to agree first");
    core.end();
    expect(await core.exited).toBe(0);
  }
  await using core = startCore({ configPath });
  await core.ready();
  expect(await converse(core, "yes", "\n")).toBe("paid\n");
  expect(told()[4]).toContain("done");
  expect(await converse(core, "once more", "done once.")).toContain("only with your word");
  expect(told()[6]).toContain("fake__slow was not called yet");
});

it("when nobody decides any more, everything that changes something has to be confirmed", async () => {
  using scratch = createScratch();
  await using models = await createModelServer([
    call("fake__structured", "harmless"),
    say("May I?"),
  ]);
  const configPath = scratch.writeConfig(models.url, {
    orchestrator: { pipeline: { ...pipeline, confirmation_plugin: "gone" } },
    plugins: { fake: fakePlugin() },
  });
  await using core = startCore({ configPath });
  await core.ready();
  expect(await converse(core, "go", "done once.")).toContain("fake__structured");
});
