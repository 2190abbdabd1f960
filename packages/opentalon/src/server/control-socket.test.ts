import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import { type HttpRoute, toJsonAnswer } from "../base/http-route.ts";
import { askControl } from "./ask-control.ts";
import { type ControlSocket, createControlSocket } from "./control-socket.ts";

const log = createSilentLog();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-control-test-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const echo: HttpRoute = {
  method: "POST",
  path: "/echo/:name",
  authentication: "door",
  handle: async ({ parameters, body }) =>
    toJsonAnswer(200, { name: parameters["name"], body: Buffer.from(body).toString() }),
};

async function open(
  directory = folder,
  routes: readonly HttpRoute[] = [echo],
): Promise<ControlSocket> {
  const socket = await createControlSocket({ directory, routes, log });
  onTestFinished(() => socket[Symbol.asyncDispose]());
  return socket;
}

async function ask(directory = folder, path = "/echo/a%2Fb"): Promise<unknown> {
  const reply = await askControl({ directory, method: "POST", path, body: { x: 1 } });
  if (reply.kind !== "answered") return reply.kind;
  let text = "";
  for await (const part of reply.body) text += String(part);
  return [reply.status, JSON.parse(text)];
}

test("answers over a socket that only its user can open, and takes it away at the end", async () => {
  expect(await ask()).toBe("not-running");
  const socket = await open();
  expect(socket.path).toBe(join(folder, "control.sock"));
  expect(lstatSync(socket.path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["control.sock"]);
  expect(await ask()).toEqual([200, { name: "a/b", body: '{"x":1}' }]);
  expect(await ask(folder, "/other")).toEqual([404, expect.anything()]);
  await socket[Symbol.asyncDispose]();
  expect(readdirSync(folder)).toEqual([]);
  expect(await ask()).toBe("not-running");
});

test("takes the place of a socket that a killed process left", async () => {
  const path = join(folder, "control.sock");
  const left = createServer();
  await new Promise<void>((resolve) => {
    left.listen(path, resolve);
  });
  await open();
  expect(await ask()).toEqual([200, expect.anything()]);
  left.close();
});

test("leaves alone what another process has put there since", async () => {
  const first = await open();
  const second = await open();
  await first[Symbol.asyncDispose]();
  expect(existsSync(second.path)).toBe(true);
  expect(await ask()).toEqual([200, expect.anything()]);
});

test("a state folder whose path is too long for a socket has a note of where it is", async () => {
  const deep = join(folder, "d".repeat(90), "state");
  mkdirSync(deep, { recursive: true });
  const socket = await open(deep);
  expect(dirname(socket.path)).not.toBe(deep);
  expect(lstatSync(dirname(socket.path)).mode & 0o777).toBe(0o700);
  expect(lstatSync(socket.path).mode & 0o777).toBe(0o600);
  const note = join(deep, "control.path");
  expect(readFileSync(note, "utf8")).toBe(`${socket.path}\n`);
  expect(lstatSync(note).mode & 0o777).toBe(0o600);
  expect(await ask(deep)).toEqual([200, expect.anything()]);
  // As after a kill: the next one tidies up what the note tells of.
  const next = await open(deep);
  expect(existsSync(dirname(socket.path))).toBe(false);
  expect(await ask(deep)).toEqual([200, expect.anything()]);
  await next[Symbol.asyncDispose]();
  expect(existsSync(dirname(next.path))).toBe(false);
  expect(readdirSync(deep)).toEqual([]);
});

test("an answer that never ends does not keep it open", async () => {
  const endless: HttpRoute = {
    method: "GET",
    path: "/endless",
    authentication: "door",
    handle: async () => {
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(Buffer.from("one\n")),
      });
      return { status: 200, contentType: "text/plain", body };
    },
  };
  const socket = await open(folder, [endless]);
  const reply = await askControl({ directory: folder, method: "GET", path: "/endless" });
  if (reply.kind !== "answered") throw new Error(reply.kind);
  const ended = new Promise((resolve) => reply.body.once("error", resolve));
  reply.body.resume();
  await socket[Symbol.asyncDispose]();
  expect(await ended).toBeInstanceOf(Error);
});
