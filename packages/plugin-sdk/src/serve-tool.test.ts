import type { ChildProcessByStdio } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import type { MethodDefinition, ServiceError } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  parseHandshake,
  pluginMessages,
  pluginServiceMethods as methods,
} from "@opentalon/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sourceArguments } from "./testing/source-arguments.ts";

const toPath = (name: string): string => fileURLToPath(new URL(`testing/${name}`, import.meta.url));
const command = [process.execPath, ...sourceArguments, toPath("dice-plugin.ts")] as const;

describe("a plugin made with serveTool", () => {
  let temporary: string;
  let plugin: ChildProcessByStdio<null, Readable, Readable>;
  let client: Client;
  let address: string;
  const output: string[] = [];
  let errors = "";

  beforeAll(async () => {
    temporary = mkdtempSync(join(tmpdir(), "t-"));
    plugin = spawn(command[0], command.slice(1), {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ["ignore", "pipe", "pipe"],
    });
    plugin.stderr.on("data", (text: Buffer) => (errors += text.toString()));
    const lines = createInterface({ input: plugin.stdout });
    lines.on("line", (line) => output.push(line));
    await once(lines, "line");
    ({ address } = parseHandshake(output[0] ?? ""));
    client = new Client(`unix:${address}`, credentials.createInsecure());
  });

  afterAll(async () => {
    client.close();
    if (plugin.exitCode === null && plugin.signalCode === null) {
      plugin.kill("SIGKILL");
      await once(plugin, "exit");
    }
    rmSync(temporary, { recursive: true });
  });

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
        {},
        (error, response) =>
          error === null && response !== undefined
            ? resolve(response)
            : reject(error ?? new Error("no response")),
      );
    });
  const execute = (action: string, args: Record<string, string> = {}) =>
    call(
      methods.execute,
      create(pluginMessages.ToolCallRequestSchema, { id: "c1", plugin: "dice", action, args }),
    );
  const configure = (configJson: string) =>
    call(methods.init, create(pluginMessages.PluginInitRequestSchema, { configJson }));

  test("says only where it listens on standard output, whatever its author prints", async () => {
    await execute("roll", { sides: "5", label: "d" });
    expect(output).toEqual([`1|unix|${address}`]);
    expect(errors).toContain("before serving");
    await expect.poll(() => errors.match(/rolling/g)?.length).toBe(3);
  });

  test.each(["capabilities", "refreshCapabilities"] as const)(
    "describes itself: %s",
    async (name) => {
      const capabilities = await call(methods[name], create(EmptySchema));
      expect(capabilities).toMatchObject({
        name: "dice",
        description: "Rolls dice",
        systemPromptAddition: "Never cheat.",
        supportsCallbacks: false,
      });
      expect(capabilities.actions.find((action) => action.name === "roll")).toMatchObject({
        readOnly: true,
        userOnly: false,
        parameters: [
          {
            name: "sides",
            type: "integer",
            required: true,
            schema: '{"type":"integer","minimum":2}',
          },
          {
            name: "label",
            description: "What to call it",
            type: "string",
            required: true,
            schema: "",
          },
          { name: "note", required: false },
        ],
      });
      expect(capabilities.actions.find((action) => action.name === "greet")).toMatchObject({
        userOnly: true,
        alwaysInclude: true,
      });
      expect(capabilities.actions.find((action) => action.name === "who")).toMatchObject({
        injectContextArgs: ["entity_id"],
      });
    },
  );

  test("runs actions with arguments of their types and repeats the identifier", async () => {
    expect(await execute("roll", { sides: "5", label: "die" })).toMatchObject({
      callId: "c1",
      content: "die 6 nothing c1",
      error: "",
    });
    expect(await execute("structured")).toMatchObject({
      content: "text",
      structuredContent: '{"a":[1]}',
    });
  });

  test("takes its configuration, and can refuse it", async () => {
    await configure('{"greeting":"hi"}');
    expect(await execute("greet")).toMatchObject({ content: "hi" });
    await configure("");
    expect(await execute("greet")).toMatchObject({ content: "" });
    await expect(configure('{"fail":true}')).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: "configure: `fail` must not be true",
    });
    await expect(configure("[]")).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    await expect(configure("{")).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test("tells an action who asks", async () => {
    const request = create(pluginMessages.ToolCallRequestSchema, {
      id: "c1",
      action: "who",
      args: { entity_id: "e1", session_id: "not asked for" },
      credentialHeaders: { jira: { header: "Authorization", value: "v" } },
    });
    expect(JSON.parse((await call(methods.execute, request)).content)).toEqual({
      values: { entity_id: "e1" },
      headers: "Authorization",
    });
  });

  test.each<[string, Record<string, string>, string]>([
    ["fail", {}, "the dice fell off the table"],
    ["roll", { label: "x" }, 'the argument "sides" is missing'],
    ["roll", { label: "x", sides: "many" }, 'the argument "sides" must be a whole number'],
    ["wrong", {}, "the action gave neither text nor { content }"],
    [
      "nope",
      {},
      'the plugin "dice" has no action "nope"; it has: roll, greet, structured, who, fail, wrong, slow, wait',
    ],
    ["constructor", {}, 'has no action "constructor"'],
  ])("gives a failure of %s %j as an error without a stack", async (action, args, error) => {
    const result = await execute(action, args);
    expect(result).toMatchObject({
      callId: "c1",
      content: "",
      error: expect.stringContaining(error) as string,
    });
    expect(result.error).not.toContain("\n");
  });

  test("tells an action that its caller gave up", async () => {
    const request = create(pluginMessages.ToolCallRequestSchema, { id: "c1", action: "wait" });
    const { path, requestSerialize, responseDeserialize } = methods.execute;
    const outcome = new Promise<ServiceError | null>((resolve) => {
      const running = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        {},
        (error) => resolve(error),
      );
      setTimeout(() => running.cancel(), 50);
    });
    expect(await outcome).toMatchObject({ code: status.CANCELLED });
    await expect.poll(() => errors).toContain("gave up");
  });

  test("refuses callbacks politely", async () => {
    const { path, requestSerialize, responseDeserialize } = methods.executeBidi;
    const stream = client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      new Metadata(),
    );
    stream.on("data", () => {});
    const [error] = (await once(stream, "error").catch((reason: unknown) => [reason])) as [
      ServiceError,
    ];
    expect(error.code).toBe(status.UNIMPLEMENTED);
  });

  test("ends on SIGINT in good order and removes its socket", async () => {
    expect(existsSync(dirname(address))).toBe(true);
    plugin.kill("SIGINT");
    expect(await once(plugin, "exit")).toEqual([0, null]);
    expect(readdirSync(temporary)).toEqual([]);
  });
});

test("a plugin may have other actions each time it is asked, and ends what it started", async () => {
  const temporary = mkdtempSync(join(tmpdir(), "t-"));
  const plugin = spawn(command[0], [command[1], toPath("growing-plugin.ts")], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let errors = "";
  plugin.stderr.on("data", (text: Buffer) => (errors += text.toString()));
  const [line] = (await once(plugin.stdout, "data")) as [Buffer];
  const { address } = parseHandshake(line.toString().trim());
  const client = new Client(`unix:${address}`, credentials.createInsecure());
  const call = <Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
  ): Promise<Response> =>
    new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method;
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        {},
        (error, response) =>
          error === null && response !== undefined
            ? resolve(response)
            : reject(error ?? new Error("no response")),
      );
    });
  const names = async (method: "capabilities" | "refreshCapabilities"): Promise<string[]> =>
    (await call(methods[method], create(EmptySchema))).actions.map(({ name }) => name);
  expect(await names("capabilities")).toEqual([]);
  await call(
    methods.init,
    create(pluginMessages.PluginInitRequestSchema, { configJson: '{"actions":["a","b"]}' }),
  );
  expect(await names("refreshCapabilities")).toEqual(["a", "b"]);
  const request = create(pluginMessages.ToolCallRequestSchema, { id: "c", action: "b" });
  expect((await call(methods.execute, request)).content).toBe("this is b");
  client.close();
  plugin.kill("SIGINT");
  await once(plugin, "close");
  expect(errors).toContain("stopped in good order");
  rmSync(temporary, { recursive: true });
});

test("a plugin serves pages at the port it is given, and says so", async () => {
  const temporary = mkdtempSync(join(tmpdir(), "t-"));
  const port = await findFreePort();
  const plugin = spawn(command[0], command.slice(1), {
    env: { ...process.env, TMPDIR: temporary, OPENTALON_HTTP_PORT: `${port}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [line] = (await once(createInterface({ input: plugin.stdout }), "line")) as [string];
  expect(parseHandshake(line).httpAddress).toBe(`127.0.0.1:${port}`);
  const page = await fetch(`http://127.0.0.1:${port}/a?b=1`);
  expect(await page.text()).toBe("a page for /a?b=1");
  expect((await fetch(`http://127.0.0.1:${port}/fail`)).status).toBe(500);
  plugin.kill("SIGINT");
  const [code] = (await once(plugin, "exit")) as [number];
  expect(code).toBe(0);
  rmSync(temporary, { recursive: true });
});

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

test("a plugin ends when the process that started it is gone", async () => {
  const temporary = mkdtempSync(join(tmpdir(), "t-"));
  const parent = spawn(process.execPath, [toPath("parent-process.ts"), ...command], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line.toString().split(" ")[0]);
  expect(readdirSync(temporary)).toHaveLength(1);
  parent.kill("SIGKILL");
  await once(parent, "exit");
  await expect.poll(() => existsSync(`/proc/${pid}/cwd`), { timeout: 10_000 }).toBe(false);
  expect(readdirSync(temporary)).toEqual([]);
  rmSync(temporary, { recursive: true });
});
