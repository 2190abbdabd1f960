import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import type { Completion, CompletionEvent } from "./provider-client.ts";
import { createProviderPlugins } from "./provider-plugins.ts";
import type { FakeProviderOptions } from "./testing/fake-provider-options.ts";
import { toFakeProviderCommand } from "./testing/fake-provider-options.ts";
import { startFakeProvider } from "./testing/start-fake-providers.ts";

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

const toCompletion = (content: string): Completion => ({
  model: "parrot",
  credential: "",
  system: "",
  messages: [{ kind: "user", content, files: [] }],
  tools: [],
  maxTokens: 0,
  reasoningEffort: "",
  sessionKey: "",
});

test("a process runs while it is needed, in a folder of its own, and leaves nothing", async () => {
  const folder = createFolder();
  const journal = join(folder, "journal");
  const plugins = createProviderPlugins({
    entries: [
      {
        key: "own",
        command: toFakeProviderCommand({ journal }),
        dialTimeoutMs: 15_000,
        onModels: () => undefined,
      },
    ],
    environment: process.env,
    log: createSilentLog(),
    clock: systemClock,
    stateDirectory: folder,
  });
  expect(existsSync(journal)).toBe(false);
  plugins.start();
  await plugins.plugins[0]?.settled;
  expect(plugins.statuses()).toMatchObject([{ key: "own", state: "ready", problem: "" }]);
  expect(existsSync(join(folder, "providers/plugins/own"))).toBe(true);
  const [first = ""] = readFileSync(journal, "utf8").split("\n");
  const { pid } = JSON.parse(first) as { readonly pid: number };
  expect(() => process.kill(pid, 0)).not.toThrow();
  await plugins[Symbol.asyncDispose]();
  expect(() => process.kill(pid, 0)).toThrow("ESRCH");
});

test("what was never started ends without a trace", async () => {
  const plugins = createProviderPlugins({
    entries: [{ key: "own", command: "/nowhere", onModels: () => undefined }],
    environment: process.env,
    log: createSilentLog(),
    clock: systemClock,
  });
  await plugins[Symbol.asyncDispose]();
  expect(plugins.statuses()).toMatchObject([{ state: "stopped" }]);
});

test.each<[string, FakeProviderOptions, RegExp]>([
  ["refuses its configuration", { init: "refuse" }, /configure: `model` is missing/],
  ["does not introduce itself", { init: "hang" }, /did not introduce itself within 1 s/],
  ["never lists its models", { listing: "hang" }, /did not introduce itself within 1 s/],
])("a plugin that %s is not ready, and says why", async (_what, options, problem) => {
  const dialTimeoutMs = options.init === "refuse" ? 15_000 : 1_000;
  await using fake = await startFakeProvider(options, { dialTimeoutMs });
  expect(fake.plugin.isReady()).toBe(false);
  expect(fake.host.statuses()[0]?.problem).toMatch(problem);
  const onEvent = (): void => undefined;
  const { signal } = new AbortController();
  await expect(
    fake.plugin.complete(toCompletion("hello"), { signal, onEvent }),
  ).rejects.toMatchObject({ reason: "unavailable", plugin: "test" });
});

test("a plugin may do without configuration and without telling its models", async () => {
  await using fake = await startFakeProvider({ init: "unimplemented", listing: "unimplemented" });
  expect(fake.plugin.isReady()).toBe(true);
  expect(fake.told).toEqual([[]]);
});

test("a question that is given up while the plugin starts does not wait for it", async () => {
  const plugins = createProviderPlugins({
    entries: [{ key: "own", command: toFakeProviderCommand(), onModels: () => undefined }],
    environment: process.env,
    log: createSilentLog(),
    clock: systemClock,
  });
  await using _stopped = plugins;
  const abort = new AbortController();
  const onEvent = (): void => undefined;
  const asked = plugins.plugins[0]?.complete(toCompletion("hi"), { signal: abort.signal, onEvent });
  abort.abort();
  await expect(asked).rejects.toMatchObject({ reason: "unavailable" });
});

test("what a listener throws ends the call, and the plugin is told", async () => {
  const journal = join(createFolder(), "journal");
  await using fake = await startFakeProvider({ journal });
  const events: CompletionEvent[] = [];
  const tooMuch = new Error("too much");
  const asked = fake.plugin.complete(toCompletion("flood"), {
    signal: new AbortController().signal,
    onEvent: (event) => {
      events.push(event);
      if (events.length === 3) throw tooMuch;
    },
  });
  await expect(asked).rejects.toBe(tooMuch);
  const isTold = (): boolean => readFileSync(journal, "utf8").includes('"cancelled"');
  await expect.poll(isTold, { timeout: 15_000 }).toBe(true);
  expect(events).toHaveLength(3);
});
