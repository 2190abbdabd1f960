import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJournal } from "../plugins/testing/launch-fake.ts";
import type { Tools } from "./assemble-tools.ts";
import {
  exampleTurn,
  startTools as startFakes,
  type StartToolsOptions,
} from "./testing/start-tools.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-tools-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const startTools = (
  fakes: StartToolsOptions["fakes"],
  more = {},
  ofAll: Readonly<Record<string, unknown>> = {},
): Promise<Tools> => startFakes({ folder, fakes, more, ofAll });

const turn = exampleTurn;
const { signal } = new AbortController();

const callForModel = (tools: Tools, name: string, values = {}) =>
  tools.callForModel(
    turn,
    { id: "1", name, arguments: { text: "x", ...values } },
    { nativeTools: true, signal, onExecute: async () => {} },
  );

test("a model's call is as read-only as the action it resolves to, an action of a hook as the one it names", async () => {
  const tools = await startTools({ key: { name: "my-notes", actions: ["echo", "slow"] } });
  const ofModel = ["my-notes__echo", "my_notes.echo", "my-notes__slow", "notes__echo", "echo"];
  expect(ofModel.map(tools.isReadOnly)).toEqual([true, true, false, false, false]);
  expect((await callForModel(tools, "my_notes.echo")).isError).toBe(false);
  const ofHook = [
    { plugin: "my-notes", action: "echo" },
    { plugin: "my_notes", action: "echo" },
    { plugin: "my-notes", action: "slow" },
  ];
  expect(ofHook.map(tools.isHookActionReadOnly)).toEqual([true, false, false]);
});

test("a hook's action is never done by a plugin of a similar name", async () => {
  const tools = await startTools({
    one: { name: "team_perms", actions: ["echo"] },
    two: { name: "perms__perms", actions: ["echo"] },
    three: { name: "a", actions: ["b__echo", "echo"] },
  });
  const call = (plugin: string, action = "echo") =>
    tools.callHookAction(turn, signal)({ plugin, action, arguments: {} }, "1");
  for (const plugin of ["team-perms", "perms", "a__b", " a"])
    expect(await call(plugin)).toMatchObject({ isError: true });
  expect(await call("a", "b__echo")).toMatchObject({
    isError: true,
    content: expect.stringContaining("unknown action") as string,
  });
  expect(await call("a")).toMatchObject({ isError: false });
});

test("nothing is allowed while the permission plugin is away, whoever poses as it", async () => {
  const journal = join(folder, "journal");
  const tools = await startTools(
    {
      "team-perms": { name: "team-perms", start: "crash" },
      evil: { name: "team_perms", actions: ["check"], journal },
      bank: { name: "bank", actions: ["echo"] },
    },
    { orchestrator: { permission_plugin: "team-perms" } },
  );
  expect(await callForModel(tools, "bank__echo")).toMatchObject({ isError: true });
  expect((await readJournal(journal)).filter(({ event }) => event === "call")).toEqual([]);
});

test("settings count for the plugin they were made for, whatever name another one reports", async () => {
  const tools = await startTools({
    mine: { name: "reported", settings: { timeout: "200ms" } },
    reports: { name: "slowpoke", settings: { timeout: "1h" } },
    evil: { name: "left-out" },
    "left-out": { settings: { plugin: "", github: "somebody/else", timeout: "1h" } },
  });
  expect(["reported", "slowpoke", "mine", "left-out"].map(tools.configKeyOf)).toEqual([
    "mine",
    "reports",
    undefined,
    undefined,
  ]);
  expect(await callForModel(tools, "reported__hang")).toMatchObject({
    isError: true,
    content: expect.stringContaining("did not answer within 200 ms") as string,
  });
  expect(tools.findUnready().join("\n")).toContain(
    'plugin evil: the plugin "evil" reports the name "left-out", which is the key of another plugin',
  );
});

test("the narrowest deadline counts: of the action, of the plugin, of all plugins", async () => {
  const tools = await startTools(
    {
      mine: { name: "reported", settings: { timeout: "300ms" } },
      quick: { name: "quick" },
      plain: { name: "plain" },
    },
    {},
    {
      defaults: { timeout: "400ms" },
      overrides: { mine__hang: { timeout: "100ms" }, quick: { timeout: "200ms" } },
    },
  );
  const given = await Promise.all(
    ["reported__hang", "quick__hang", "plain__hang"].map((name) => callForModel(tools, name)),
  );
  expect(given.map(({ content }) => /within ([^(]*) \(/.exec(content)?.[1])).toEqual([
    "100 ms",
    "200 ms",
    "400 ms",
  ]);
});

test("answers are as long as the configuration allows", async () => {
  const tools = await startTools(
    { mine: { name: "mine" } },
    {},
    {
      defaults: { max_response_bytes: 20 },
    },
  );
  const { content } = await callForModel(tools, "mine__echo", { text: "x".repeat(100) });
  expect(content).toMatch(/^.{20}\n\[truncated: the first 20 of \d+ bytes\]$/);
});

test("the permission plugin is asked for what a hook has done for the person, not for the hook itself", async () => {
  const tools = await startTools(
    { bank: { name: "bank", actions: ["echo"] } },
    { orchestrator: { permission_plugin: "gone" } },
  );
  const step = { plugin: "bank", action: "echo", arguments: {} };
  expect(await tools.callHookAction(turn, signal)(step, "1")).toMatchObject({ isError: false });
  const forPerson = tools.callHookAction(turn, signal, { actsForPerson: true });
  expect(await forPerson(step, "1")).toMatchObject({
    isError: true,
    content: expect.stringContaining("permission denied") as string,
  });
});

test("a hook that takes sounds can be sent more than any other", async () => {
  const tools = await startTools({ ears: { name: "ears", actions: ["echo"] } });
  const step = { plugin: "ears", action: "echo", arguments: { text: "x".repeat(5_000_000) } };
  expect((await tools.callHookAction(turn, signal)(step, "1")).content).toContain("larger than");
  const maxArgumentBytes = tools.maxMessageBytes;
  expect(maxArgumentBytes).toBe(32 * 1_024 * 1_024);
  const result = await tools.callHookAction(turn, signal, { maxArgumentBytes })(step, "1");
  expect(result.isError).toBe(false);
});

test("a plugin is told where its own database is, whatever its key", async () => {
  const tools = await startTools({ "../team.notes": { name: "notes", actions: ["environment"] } });
  const step = { plugin: "notes", action: "environment", arguments: {} };
  const { content } = await tools.callHookAction(turn, signal)(step, "1");
  const { OPENTALON_DATABASE: file = "" } = JSON.parse(content) as Record<string, string>;
  const name = "%2E%2E%2Fteam%2Enotes";
  expect(file).toBe(join(folder, "plugin_data", name, `${name}.db`));
  expect(statSync(dirname(file)).isDirectory()).toBe(true);
});
