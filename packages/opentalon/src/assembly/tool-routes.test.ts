import { expect, test } from "vitest";
import type { HttpAnswer, HttpRequest } from "../base/http-route.ts";
import type { DeskCall, ToolDesk } from "../domain/tool-desk.ts";
import { toToolRoutes } from "./tool-routes.ts";

const calls: DeskCall[] = [];
const desk: ToolDesk = {
  list: async () => [{ name: "a__b", description: "", inputSchema: {}, readOnly: true }],
  call: async (call) => {
    calls.push(call);
    return { content: "done", isError: false };
  },
  follow: () => ({ [Symbol.dispose]: () => undefined }),
};

async function ask(path: string, body = ""): Promise<HttpAnswer> {
  const route = toToolRoutes(desk).find((each) => each.path === path);
  if (route === undefined) throw new Error(`there is no ${path}`);
  const request: HttpRequest = {
    method: route.method,
    path,
    target: path,
    parameters: {},
    query: () => undefined,
    header: () => undefined,
    headers: {},
    body: Buffer.from(body),
    signal: new AbortController().signal,
    isTrusted: true,
  };
  return route.handle(request);
}

function readJson({ body }: HttpAnswer): unknown {
  if (typeof body !== "string") throw new Error("the answer is no text");
  return JSON.parse(body);
}

test("tools are listed and called", async () => {
  expect(readJson(await ask("/tools"))).toEqual({
    tools: [{ name: "a__b", description: "", inputSchema: {}, readOnly: true }],
  });
  const call = { actor: "mcp:anna", name: "a__b", arguments: { x: 1 } };
  const answer = await ask("/tools/call", JSON.stringify(call));
  expect(readJson(answer)).toEqual({ content: "done", is_error: false });
  expect(calls).toMatchObject([call]);
});

test.each([
  "",
  "[]",
  "null",
  '{"name":"a__b","arguments":{}}',
  '{"actor":"","name":"a__b","arguments":{}}',
  '{"actor":"mcp:a","name":1,"arguments":{}}',
  '{"actor":"mcp:a","name":"a__b","arguments":[]}',
  `{"actor":"${"a".repeat(201)}","name":"a__b","arguments":{}}`,
])("%j is no call", async (body) => {
  expect((await ask("/tools/call", body)).status).toBe(400);
});
