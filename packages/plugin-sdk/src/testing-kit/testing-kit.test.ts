import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPlugin } from "./start-plugin.ts";
import { startProvider } from "./start-provider.ts";
import { sourceArguments } from "../testing/source-arguments.ts";

const toCommand = (path: string, ...rest: readonly string[]): readonly string[] => [
  process.execPath,
  ...sourceArguments,
  fileURLToPath(new URL(`../${path}`, import.meta.url)),
  ...rest,
];
const dice = { command: toCommand("testing/dice-plugin.ts") };
const script = (text: string): readonly string[] => [process.execPath, "-e", text];

// Of its own, so that what is left in it was left by these tests.
const systemTemporary = process.env["TMPDIR"];
let temporary: string;
beforeAll(() => {
  temporary = mkdtempSync(join(tmpdir(), "t-"));
  process.env["TMPDIR"] = temporary;
});
afterAll(() => {
  if (systemTemporary === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = systemTemporary;
  expect(readdirSync(temporary)).toEqual([]);
  rmSync(temporary, { recursive: true });
});

describe("startPlugin", () => {
  test("starts a plugin and runs its actions as the host does", async () => {
    await using plugin = await startPlugin({ ...dice, config: { greeting: "hi" } });
    expect(plugin.capabilities).toMatchObject({ name: "dice", supportsCallbacks: false });
    const roll = plugin.capabilities.actions.find(({ name }) => name === "roll");
    expect(roll).toMatchObject({
      readOnly: true,
      parameters: [{ name: "sides", required: true }, {}, {}],
    });
    const result = await plugin.call("roll", { sides: 6, label: "d", note: undefined });
    expect(result.content).toMatch(/^d 7 nothing /);
    expect(result).toMatchObject({ error: undefined, structured: undefined });
    expect(await plugin.call("greet")).toMatchObject({ content: "hi" });
    expect(await plugin.call("structured")).toMatchObject({ structured: { a: [1] } });
    expect(await plugin.call("fail")).toMatchObject({
      content: "",
      error: "the dice fell off the table",
    });
    const context = { entity_id: "console:ada" };
    expect((await plugin.call("who", {}, { context })).content).toContain("console:ada");
    await expect.poll(() => plugin.stderr).toContain("rolling");
  });

  test("checks arguments by a schema, and hands them over typed", async () => {
    await using plugin = await startPlugin({ command: toCommand("testing/schema-plugin.ts") });
    const args = {
      title: "Tea",
      at: "2026-01-02T03:04:05Z",
      reminder: 10,
      guests: ["ann", "bob"],
      place: { street: "Main", number: 3 },
    };
    const { content } = await plugin.call("add", args, { context: { entity_id: "e" } });
    expect(JSON.parse(content)).toEqual({
      title: "Tea",
      atMs: Date.UTC(2026, 0, 2, 3, 4, 5),
      minutes: 30,
      repeat: "never",
      reminder: 10,
      guests: "ann+bob",
      place: { street: "Main", number: 3 },
    });
    const { error } = await plugin.call("add", { title: "", at: "soon", reminder: "none" });
    expect(error).toMatch(/^the arguments do not fit: "title": [^;]+; "at": [^;]+$/);
    const [add] = plugin.capabilities.actions;
    const minutes = add?.parameters.find(({ name }) => name === "minutes");
    expect(JSON.parse(minutes?.schema ?? "")).toMatchObject({ type: "integer", maximum: 600 });
  });

  test("plays the other plugins for one that calls back", async () => {
    await using plugin = await startPlugin({
      command: toCommand("testing/callback-plugin.ts"),
      callbacks: {
        other__first: async ({ args }) => ({ content: "one", structured: args }),
        "*": ({ action }) => {
          throw new Error(`no ${action} today`);
        },
      },
    });
    expect(await plugin.call("both")).toMatchObject({
      content: 'one{"said":"first"} | other__second: no second today',
      error: undefined,
    });
  });

  test("speaks the first wire generation, too", async () => {
    const command = toCommand("conformance/testing/rule-breaker.ts", "tool:json");
    await using plugin = await startPlugin({ command });
    expect(await plugin.call("peek")).toMatchObject({ content: "something", error: undefined });
    expect(await plugin.call("nothing")).toMatchObject({ error: "unknown" });
  });

  test("gives a call up by time or by signal, and says what happened", async () => {
    await using plugin = await startPlugin(dice);
    await expect(plugin.call("wait", {}, { timeoutMs: 50 })).rejects.toThrow(
      "the plugin did not answer within 50 ms (action wait)",
    );
    await expect(plugin.call("wait", {}, { signal: AbortSignal.abort() })).rejects.toThrow(
      "was cancelled (action wait)",
    );
    const call = plugin.call("wait");
    const failure = call.catch((error: unknown) => String(error));
    await plugin.call("greet");
    expect(await plugin.kill()).toMatchObject({ exitCode: undefined, signal: "SIGKILL" });
    expect(await failure).toContain("the plugin gave the status UNAVAILABLE");
  });

  test("lets a call under way finish when the plugin is stopped", async () => {
    const plugin = await startPlugin(dice);
    const slow = plugin.call("slow");
    await plugin.call("greet");
    const stopped = plugin.stop();
    expect(await slow).toMatchObject({ content: "done" });
    expect(await stopped).toEqual({ exitCode: 0, signal: undefined, leftovers: [] });
    await expect(plugin.call("greet")).rejects.toThrow("is not connected any more");
  });

  test.each<[string, readonly string[], string]>([
    [
      "ends at once",
      script("console.error('no key'); process.exit(2)"),
      "ended with exit code 2 before it said where it listens; its last words:\n  no key",
    ],
    [
      "says something else",
      script("console.log('hi'); setInterval(() => {}, 1_000)"),
      'the handshake line is not "1|unix|<path>"',
    ],
    [
      "says nothing",
      script("setInterval(() => {}, 1_000)"),
      "did not say where it listens within 700 ms",
    ],
    [
      "names a socket that is not there",
      script("console.log('1|unix|/nowhere'); setInterval(() => {}, 1_000)"),
      "speaks neither gRPC nor",
    ],
    ["does not exist", ["/no/such/program"], "there is no program /no/such/program"],
  ])(
    "says why a plugin does not start, and leaves nothing: it %s",
    async (_title, command, words) => {
      await expect(startPlugin({ command, startTimeoutMs: 700 })).rejects.toThrow(words);
      expect(readdirSync(temporary)).toEqual([]);
    },
  );

  test("shows the plugin's own words when it refuses its configuration", async () => {
    await expect(startPlugin({ ...dice, config: { fail: true } })).rejects.toThrow(
      /INVALID_ARGUMENT: configure: `fail` must not be true \(Init\)/,
    );
  });

  test("gives it few variables and folders of its own, and removes them", async () => {
    const command = script(
      "console.error(JSON.stringify([process.env, process.cwd()])); console.log('1|tcp|127.0.0.1:1'); setInterval(() => {}, 1_000)",
    );
    process.env["PLANTED_SECRET"] = "planted";
    const failure: unknown = await startPlugin({ command, env: { ADDED: "yes" } }).catch(
      (error: unknown) => error,
    );
    delete process.env["PLANTED_SECRET"];
    const said = /\[\{.*\]/.exec(String(failure))?.[0] ?? '[{},""]';
    const [environment, workingDirectory] = JSON.parse(said) as [Record<string, string>, string];
    expect(environment).toMatchObject({ ADDED: "yes" });
    expect(Object.keys(environment)).not.toContain("PLANTED_SECRET");
    expect(workingDirectory).not.toBe(process.cwd());
    expect(existsSync(join(environment["TMPDIR"] ?? "/", ".."))).toBe(false);
  });
});

describe("startProvider", () => {
  const command = toCommand("testing/echo-provider.ts");

  test("asks models, and tells a failure from an answer", async () => {
    await using provider = await startProvider({ command });
    expect(provider.models).toEqual(["big", "small"]);
    const pieces: string[] = [];
    const everything = await provider.complete(
      { model: "big", text: "everything" },
      { onText: (text) => void pieces.push(text) },
    );
    expect(everything).toMatchObject({
      text: "Half",
      reasoning: "Hm.",
      toolCalls: [{ id: "t1", name: "a__b", arguments: '{"x":1}' }, { id: "" }],
      usage: { inputTokens: 10, outputTokens: 6 },
      finish: "TOOL_CALLS",
      failure: undefined,
    });
    expect(pieces).toEqual(["Half"]);
    expect(await provider.complete({ model: "big", text: "limit" })).toMatchObject({
      finish: undefined,
      failure: { reason: "RATE_LIMITED", retryAfterMs: 1_500, status: 429 },
    });
    await expect(
      provider.complete({ model: "big", text: "wait" }, { timeoutMs: 100 }),
    ).rejects.toThrow("did not answer within 100 ms (Complete)");
  });

  test("hands over the whole question", async () => {
    await using provider = await startProvider({ command, credential: "sk-1" });
    const { text } = await provider.complete({
      model: "big",
      text: "request",
      system: "Be brief.",
      earlier: [{ role: "assistant", content: "hello" }],
      tools: [{ name: "a__b", description: "does b", inputSchema: { type: "object" } }],
      maxTokens: 9,
    });
    expect(JSON.parse(text)).toMatchObject({
      credential: "sk-1",
      system: "Be brief.",
      maxTokens: 9,
      messages: [{ role: "assistant", content: "hello" }, { role: "user" }],
      tools: [{ name: "a__b" }],
    });
  });

  test("says why a provider does not start", async () => {
    await expect(startProvider({ command, credential: "bad" })).rejects.toThrow(
      "the service lists nothing for this credential (Models)",
    );
    await expect(startProvider({ command, config: { fail: true } })).rejects.toThrow("(Init)");
  });
});
