import type { ChildProcessByStdio } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { ServiceError } from "@grpc/grpc-js";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import {
  parseHandshake,
  pluginMessages,
  pluginServiceMethods as methods,
} from "@opentalon/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sourceArguments } from "./testing/source-arguments.ts";

type Answer = Partial<
  Pick<pluginMessages.CallbackResponse, "content" | "error" | "structuredContent">
>;
/** What the host answers; `undefined` for never. */
type Respond = (request: pluginMessages.CallbackRequest) => Answer | undefined;

let temporary: string;
let plugin: ChildProcessByStdio<null, Readable, Readable>;
let client: Client;
let errors = "";

beforeAll(async () => {
  temporary = mkdtempSync(join(tmpdir(), "t-"));
  const path = fileURLToPath(new URL("testing/recipe-plugin.ts", import.meta.url));
  plugin = spawn(process.execPath, [...sourceArguments, path], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  plugin.stderr.on("data", (text: Buffer) => (errors += text.toString()));
  const lines = createInterface({ input: plugin.stdout });
  const [line] = (await once(lines, "line")) as [string];
  client = new Client(`unix:${parseHandshake(line).address}`, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  plugin.kill("SIGINT");
  await once(plugin, "exit");
  rmSync(temporary, { recursive: true });
});

function open() {
  const { path, requestSerialize, responseDeserialize } = methods.executeBidi;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
}
const send = (
  stream: ReturnType<typeof open>,
  payload: pluginMessages.HostMessage["payload"],
): boolean => stream.write(create(pluginMessages.HostMessageSchema, { payload }));

const toCall = (action: string, args: Record<string, string> = {}) =>
  ({
    case: "call",
    value: create(pluginMessages.ToolCallRequestSchema, { id: "c1", action, args }),
  }) as const;

/** Plays the host for one call. Resolves once the plugin has ended the stream. */
async function execute(action: string, args: Record<string, string>, respond: Respond) {
  const stream = open();
  const results: pluginMessages.ToolResultResponse[] = [];
  const asked: pluginMessages.CallbackRequest[] = [];
  stream.on("data", ({ payload }: pluginMessages.PluginMessage) => {
    if (payload.case === "result") results.push(payload.value);
    if (payload.case !== "callbackRequest") return;
    asked.push(payload.value);
    const answer = respond(payload.value);
    if (answer === undefined) return;
    const { id } = payload.value;
    const value = create(pluginMessages.CallbackResponseSchema, { id, ...answer });
    // Later ones first, so that the order of answers is not that of requests.
    setTimeout(
      () => send(stream, { case: "callbackResponse", value }),
      Math.max(1, 20 - asked.length),
    );
  });
  send(stream, toCall(action, args));
  await once(stream, "end");
  stream.end();
  return { results, asked };
}

/** `_state` as the host has it, in memory. */
function createState(interfere?: (values: Map<string, string>) => void): Respond {
  const values = new Map<string, string>();
  return ({ plugin: name, action, args }) => {
    expect(name).toBe("_state");
    const { key = "", value = "", expected, if_absent: ifAbsent, prefix = "", limit } = args;
    const before = values.get(key);
    switch (action) {
      case "get":
        return {
          content: before ?? "",
          structuredContent: JSON.stringify({ found: values.has(key) }),
        };
      case "set": {
        interfere?.(values);
        const current = values.get(key);
        const isRefused =
          (ifAbsent === "true" && current !== undefined) ||
          (expected !== undefined && expected !== current);
        if (isRefused)
          return {
            content: current ?? "",
            structuredContent: JSON.stringify({ stored: false, found: current !== undefined }),
          };
        values.set(key, value);
        return { structuredContent: '{"stored":true}' };
      }
      case "delete":
        return { structuredContent: JSON.stringify({ deleted: values.delete(key) }) };
      default: {
        const keys = [...values.keys()].filter((known) => known.startsWith(prefix));
        const shown = keys.slice(0, Number(limit));
        return {
          structuredContent: JSON.stringify({ keys: shown, more: keys.length > shown.length }),
        };
      }
    }
  };
}

test("answers that come in another order reach who asked for them", async () => {
  const calls = ["one", "two", "three"].map((name) => ["other", name, { name }]);
  const { results, asked } = await execute(
    "call",
    { calls: JSON.stringify(calls) },
    ({ action }) => ({
      content: action,
      structuredContent: action === "two" ? '{"a":1}' : "",
    }),
  );
  expect(results).toMatchObject([{ callId: "c1", error: "" }]);
  expect(JSON.parse(results[0]?.content ?? "")).toEqual([
    { content: "one" },
    { content: "two", structured: { a: 1 } },
    { content: "three" },
  ]);
  expect(asked.map(({ plugin: name, action, args }) => [name, action, args])).toEqual(calls);
  expect(new Set(asked.map(({ id }) => id)).size).toBe(3);
});

test("arguments are text on the way, and failures are errors with the host's words", async () => {
  const { asked } = await execute("typed", {}, () => ({ content: "ok" }));
  expect(asked[0]?.args).toEqual({
    text: "a",
    number: "1.5",
    flag: "false",
    list: "[1]",
    object: '{"a":1}',
  });
  const { results } = await execute("typed", {}, () => ({ error: "other__typed: no such luck" }));
  expect(results).toMatchObject([{ content: "", error: "other__typed: no such luck" }]);
  expect((await execute("fail", {}, () => undefined)).results).toMatchObject([
    { error: "it burnt" },
  ]);
});

test("state is JSON, and nothing is undefined", async () => {
  const { results, asked } = await execute("remember", { key: "k", value: "v" }, createState());
  expect(JSON.parse(results[0]?.content ?? "")).toEqual([{ value: "v" }, null]);
  expect(asked[0]?.args).toEqual({ key: "k", value: '{"value":"v"}', ttl_seconds: "60" });
  expect((await execute("swap", {}, createState())).results[0]?.content).toBe(
    JSON.stringify([true, false, true, 2, { keys: ["s"], more: false }, true, false]),
  );
});

test("counting goes on from what others made of it meanwhile", async () => {
  let others = 3;
  const state = createState((values) => {
    others -= 1;
    if (others > 0) values.set("count", String(10 * others));
  });
  expect((await execute("count", {}, state)).results[0]?.content).toBe("11");
  let round = 0;
  const busy = createState((values) => values.set("count", String((round += 1))));
  expect((await execute("count", {}, busy)).results[0]?.error).toContain("changed by others");
});

test("an action that waits for an answer is told when the caller gives up", async () => {
  const stream = open();
  const isAsked = new Promise((resolve) => {
    stream.on("data", resolve);
  });
  const ended = once(stream, "error").catch((error: unknown) => [error]);
  send(stream, toCall("wait"));
  await isAsked;
  stream.cancel();
  await ended;
  await expect.poll(() => errors).toContain("told: Error: the caller gave up");
});

test.each<[string, (stream: ReturnType<typeof open>) => void]>([
  [
    "a second call",
    (stream) => {
      send(stream, toCall("wait"));
      send(stream, toCall("wait"));
    },
  ],
  ["nothing", (stream) => send(stream, { case: undefined })],
  ["no call at all", (stream) => stream.end()],
])("a host that breaks the protocol is told: %s", async (_name, breakIt) => {
  const stream = open();
  stream.on("data", () => {});
  const failed = once(stream, "error").catch((error: unknown) => [error]);
  breakIt(stream);
  const [error] = (await failed) as [ServiceError];
  expect(error.code).toBe(status.INVALID_ARGUMENT);
});

test("called without a stream, it says what is missing", async () => {
  const { path, requestSerialize, responseDeserialize } = methods.execute;
  const { value } = toCall("count");
  const result = await new Promise<pluginMessages.ToolResultResponse | undefined>((resolve) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      value,
      (_error, response) => resolve(response),
    );
  });
  expect(result?.error).toContain("ExecuteBidi");
});
