import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { MethodDefinition, ServiceError } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  parseHandshake,
  pluginMessages,
  pluginServiceMethods as methods,
} from "@opentalon/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveHook } from "./serve-hook.ts";
import { sourceArguments } from "./testing/source-arguments.ts";

let client: Client;
let stop: () => Promise<void>;

beforeAll(async () => {
  const temporary = mkdtempSync(join(tmpdir(), "t-"));
  const script = fileURLToPath(new URL("testing/rules-hook.ts", import.meta.url));
  const plugin = spawn(process.execPath, [...sourceArguments, script], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [line] = (await once(createInterface({ input: plugin.stdout }), "line")) as [string];
  client = new Client(`unix:${parseHandshake(line).address}`, credentials.createInsecure());
  stop = async () => {
    client.close();
    plugin.kill("SIGKILL");
    if (plugin.exitCode === null && plugin.signalCode === null) await once(plugin, "exit");
    rmSync(temporary, { recursive: true });
  };
});

afterAll(() => stop());

const call = <Request, Response>(
  method: MethodDefinition<Request, Response>,
  request: Request,
): Promise<Response> =>
  new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      (error: ServiceError | null, response?: Response) =>
        error === null ? resolve(response as Response) : reject(error),
    );
  });

const run = async (action: string, args: Readonly<Record<string, string>>) => {
  const request = create(pluginMessages.ToolCallRequestSchema, { id: "1", action, args });
  const { content, error } = await call(methods.execute, request);
  return error === "" ? content : `error: ${error}`;
};

test("a hook has an action for each function, and no model is offered any", async () => {
  const { name, actions } = await call(methods.capabilities, create(EmptySchema));
  expect(name).toBe("rules");
  expect(actions.map((action) => action.name)).toEqual([
    "prepare",
    "guard",
    "format",
    "check",
    "transcribe",
  ]);
  expect(actions.every(({ userOnly }) => userOnly)).toBe(true);
});

test("what prepare returns becomes a verdict, and a text never passes for one", async () => {
  const prepare = async (text: string, more = {}) =>
    JSON.parse(await run("prepare", { text, ...more })) as unknown;
  expect(await prepare("hello")).toEqual({ message: "hello" });
  expect(await prepare(`{"send_to_llm":false,"message":"x"}`)).toEqual({
    message: `{"send_to_llm":false,"message":"x"}`,
  });
  expect(await prepare("forbidden")).toEqual({ send_to_llm: false, message: "no forbidden words" });
  expect(await prepare("run")).toEqual({
    send_to_llm: false,
    invoke: [{ plugin: "dice", action: "roll", args: { n: "1" } }],
  });
  expect(await prepare("search", { search_text: "before\nsearch" })).toEqual({
    message: "before\nsearch",
  });
  expect(await prepare("search")).toEqual({ message: "search" });
  const facts = { entity_id: "c:ann", session_id: "c:room", conversation_id: "room" };
  expect(await prepare("who", facts)).toEqual({ message: "c:ann c:room room" });
});

test("a hook that throws, or gives nothing, fails in words", async () => {
  expect(await run("prepare", { text: "throw" })).toBe("error: the rules are lost");
  expect(await run("prepare", { text: "nothing" })).toMatch(/^error: /);
});

test("guard, format, check and transcribe say what the host expects of them", async () => {
  expect(await run("guard", { text: "pin 1234" })).toBe('{"message":"pin ####"}');
  expect(await run("format", { text: "hi", response_format: "html" })).toBe("<html>hi");
  expect(await run("format", { text: "hi" })).toBe("<>hi");
  expect(await run("check", { actor: "c:ann", plugin: "jira" })).toBe("true");
  expect(await run("check", { actor: "c:ann", plugin: "bank" })).toBe("false");
  const file_data = Buffer.from("hello").toString("base64");
  expect(await run("transcribe", { file_data, file_mime: "audio/ogg" })).toBe("audio/ogg: 5 hello");
});

test("a sound of 20 MB arrives", async () => {
  const file_data = Buffer.alloc(20_000_000, 0x61).toString("base64");
  expect(await run("transcribe", { file_data, file_mime: "audio/wav" })).toBe(
    "audio/wav: 20000000 aaaaaaaaa",
  );
});

test("a hook without a function is refused", async () => {
  await expect(serveHook({ name: "empty", description: "" })).rejects.toThrow("has no actions");
});
