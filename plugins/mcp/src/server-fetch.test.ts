import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createServerFetch } from "./server-fetch.ts";

const seen: (string | undefined)[] = [];
const server = createServer((request, response) => {
  const moved = /^\/to\/(.*)/.exec(request.url ?? "")?.[1];
  if (moved !== undefined) {
    response.writeHead(307, { location: decodeURIComponent(moved) });
    return response.end();
  }
  seen.push(request.headers["x-key"]?.toString());
  const isStream = request.url === "/stream";
  response.writeHead(200, { "content-type": isStream ? "text/event-stream" : "text/plain" });
  // Ten events of a hundred bytes, or a thousand bytes.
  return response.end(isStream ? `data: ${"x".repeat(92)}\n\n`.repeat(10) : "x".repeat(1_000));
});
let origin = "";
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("an answer is bounded as a whole, a stream event by event", async () => {
  const toFetch = (maxBytes: number) =>
    createServerFetch({ url: new URL(origin), headers: {}, maxBytes }).fetch;
  expect(await (await toFetch(1_000)(`${origin}/`)).text()).toHaveLength(1_000);
  await expect((await toFetch(999)(`${origin}/`)).text()).rejects.toThrow("longer than 999 bytes");
  expect(await (await toFetch(100)(`${origin}/stream`)).text()).toHaveLength(1_000);
  await expect((await toFetch(90)(`${origin}/stream`)).text()).rejects.toThrow("longer than 90");
});

test("headers go to the server's own origin only", async () => {
  const elsewhere = createServerFetch({
    url: new URL("https://mcp.invalid/mcp"),
    headers: { "x-key": "secret" },
    maxBytes: 10_000,
  });
  const own = createServerFetch({
    url: new URL(`${origin}/mcp`),
    headers: { "x-key": "secret" },
    maxBytes: 10_000,
  });
  seen.length = 0;
  const call = { "x-key": "of the call" };
  await (await elsewhere.fetch(origin)).text();
  await elsewhere.withHeaders(call, async () => (await elsewhere.fetch(origin)).text());
  await (await own.fetch(origin)).text();
  await own.withHeaders(call, async () => (await own.fetch(origin)).text());
  await own.withHeaders(call, async () => (await own.plainFetch(origin)).text());
  expect(seen).toEqual([undefined, undefined, "secret", "of the call", undefined]);
});

test("headers do not follow where the server sends a request on to", async () => {
  const own = createServerFetch({
    url: new URL(`${origin}/mcp`),
    headers: { "x-key": "secret" },
    maxBytes: 10_000,
  });
  const elsewhere = origin.replace("127.0.0.1", "localhost");
  seen.length = 0;
  const response = await own.fetch(`${origin}/to/${encodeURIComponent(elsewhere)}`);
  expect([response.status, seen]).toEqual([307, []]);
});
