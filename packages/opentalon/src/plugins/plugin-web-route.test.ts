import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import type { HttpAnswer, HttpRequest, HttpRoute } from "../base/http-route.ts";
import { createPluginWebRoute } from "./plugin-web-route.ts";

/** A web server as a plugin has one; gives its address. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const routeTo = (address: string | undefined, timeoutMs?: number): HttpRoute =>
  createPluginWebRoute({
    key: "we ather",
    findAddress: () => address,
    maxBodyBytes: 1_000,
    log: createSilentLog(),
    timeoutMs,
  });

function ask(route: HttpRoute, changes: Partial<HttpRequest> = {}): Promise<HttpAnswer> {
  return route.handle({
    method: "GET",
    path: "",
    target: "/we%20ather/a%20b?x=1",
    parameters: {},
    query: () => undefined,
    header: () => undefined,
    headers: {},
    body: new Uint8Array(),
    signal: new AbortController().signal,
    isTrusted: true,
    ...changes,
  });
}

const textOf = ({ body }: HttpAnswer): Promise<string> =>
  new Response(body as ReadableStream).text();

describe("a request for a plugin's web server", () => {
  test("arrives without the prefix, with method, query, headers and body", async () => {
    const address = await serve((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        const { method, url, headers } = request;
        response.writeHead(201, { "content-type": "application/x-told", "x-own": "1" });
        response.end(JSON.stringify({ method, url, headers, body }));
      });
    });
    const answer = await ask(routeTo(address), {
      method: "PUT",
      headers: {
        host: "door.example:3978",
        connection: "close, x-secret",
        "transfer-encoding": "chunked",
        "x-secret": "of this connection",
        "x-colour": "red",
        authorization: undefined,
      },
      body: Buffer.from("hé"),
    });
    expect(answer).toMatchObject({ status: 201, contentType: "application/x-told" });
    expect(answer.headers).toMatchObject({ "x-own": "1" });
    const told = JSON.parse(await textOf(answer)) as { headers: Record<string, string> };
    expect(told).toMatchObject({ method: "PUT", url: "/a%20b?x=1", body: "hé" });
    expect(told.headers).toMatchObject({
      host: address,
      "x-colour": "red",
      "x-forwarded-host": "door.example:3978",
      "x-forwarded-prefix": "/we%20ather",
      "content-length": "3",
    });
    expect(told.headers).not.toHaveProperty("transfer-encoding");
    expect(told.headers).not.toHaveProperty("authorization");
    expect(told.headers).not.toHaveProperty("x-secret");
  });

  test("whose page could act as a page of the door is kept apart, and so are its cookies", async () => {
    const address = await serve((_, response) => {
      response.setHeader("content-security-policy", "default-src *");
      response.setHeader("set-cookie", ["a=1; Path=/; Domain=example.com; HttpOnly", "b=2"]);
      response.setHeader("clear-site-data", '"*"');
      response.setHeader("nel", '{"report_to":"mine","max_age":1,"success_fraction":1}');
      response.setHeader("x-content-type-options", "sniff");
      response.setHeader("cache-control", "max-age=60");
      response.setHeader("x-own", "1");
      response.end("<script>fetch('/api')</script>");
    });
    const { headers } = await ask(routeTo(address));
    expect(Object.keys(headers ?? {}).toSorted()).toEqual([
      "Cache-Control",
      "content-security-policy",
      "date",
      "set-cookie",
      "x-own",
    ]);
    expect(headers?.["content-security-policy"]).toMatch(/^sandbox(?!.*allow-same-origin)/);
    expect(headers?.["set-cookie"]).toEqual([
      "a=1; HttpOnly; Path=/we%20ather/",
      "b=2; Path=/we%20ather/",
    ]);
  });

  test("without a slash at the end is sent there, so that relative addresses work", async () => {
    const answer = await ask(routeTo("127.0.0.1:1"), { target: "/we%20ather?x=1" });
    expect(answer).toMatchObject({ status: 308, headers: { Location: "/we%20ather/?x=1" } });
  });

  test("is answered when the plugin has no server, a dead one, or one that never answers", async () => {
    const hanging = await serve(() => {});
    const cutting = await serve((request) => request.socket.destroy());
    for (const route of [
      routeTo(undefined),
      routeTo("127.0.0.1:1"),
      routeTo(hanging, 50),
      routeTo(cutting),
    ]) {
      expect(await ask(route)).toMatchObject({ status: 502, contentType: "application/json" });
    }
  });

  test("ends with its client", async () => {
    const gone = new AbortController();
    const address = await serve(() => gone.abort());
    expect(await ask(routeTo(address), { signal: gone.signal })).toMatchObject({ status: 502 });
  });

  test("may be answered bit by bit", async () => {
    const address = await serve((_, response) => {
      response.write("one ");
      setImmediate(() => response.end("two"));
    });
    expect(await textOf(await ask(routeTo(address)))).toBe("one two");
  });
});
