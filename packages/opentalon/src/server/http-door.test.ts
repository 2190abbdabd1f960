import { request } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import { ConfigError } from "../base/errors.ts";
import { type HttpRoute, toJsonAnswer } from "../base/http-route.ts";
import { createSecret } from "../base/secret.ts";
import { createHttpDoor, type HttpDoor, type HttpDoorOptions } from "./http-door.ts";

const log = createSilentLog();
const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const door of open.splice(0)) await door[Symbol.asyncDispose]();
});

async function openDoor(options: Partial<HttpDoorOptions> = {}): Promise<HttpDoor> {
  const door = await createHttpDoor({
    address: "127.0.0.1:0",
    routes: [],
    findUnready: () => [],
    log,
    ...options,
  });
  open.push(door);
  return door;
}

const echo: HttpRoute = {
  method: "POST",
  path: "/echo/:name",
  authentication: "door",
  handle: async ({ body, parameters, query }) =>
    toJsonAnswer(200, {
      text: Buffer.from(body).toString(),
      name: parameters["name"],
      colour: query("colour"),
    }),
};

/** A connection that sends what it is told and collects what comes back. */
function dial(door: HttpDoor): { socket: Socket; received: () => string; closed: Promise<void> } {
  const { hostname, port } = new URL(door.url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    text += chunk;
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
  });
  return { socket, received: () => text, closed };
}

describe("the HTTP door", () => {
  it("hands a request to its route, with parameters, query and body", async () => {
    const door = await openDoor({ routes: [echo] });
    const response = await fetch(`${door.url}/echo/an%20a?colour=red`, {
      method: "POST",
      body: "hé",
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toEqual({ text: "hé", name: "an a", colour: "red" });
  });

  it("answers liveness at once and readiness by the names of what is missing", async () => {
    const unready = ["plugin jira"];
    const door = await openDoor({ findUnready: () => unready });
    expect((await fetch(`${door.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${door.url}/healthz`, { method: "HEAD" })).status).toBe(200);
    const waiting = await fetch(`${door.url}/readyz`);
    expect(waiting.status).toBe(503);
    expect(await waiting.json()).toEqual({ status: "unready", unready: ["plugin jira"] });
    unready.pop();
    expect((await fetch(`${door.url}/readyz`)).status).toBe(200);
    door.announceClosing();
    expect((await fetch(`${door.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${door.url}/healthz`)).status).toBe(200);
  });

  it("says why something is not ready to those it knows only", async () => {
    const findUnready = (): readonly string[] => ["plugin jira: its last words: /home/ann: no"];
    const ask = async (headers: Record<string, string>, token = ""): Promise<unknown> => {
      const secret = token === "" ? undefined : createSecret(token);
      const door = await openDoor({ findUnready, token: secret });
      const response = await fetch(`${door.url}/readyz`, { headers });
      return ((await response.json()) as { unready: unknown }).unready;
    };
    expect(await ask({}, "door-token")).toEqual(["plugin jira"]);
    expect(await ask({ origin: "https://evil.example" })).toEqual(["plugin jira"]);
    expect(await ask({ authorization: "Bearer door-token" }, "door-token")).toEqual(findUnready());
    expect(await ask({})).toEqual(findUnready());
  });

  it("answers unknown addresses with 404 and wrong methods with 405, both as JSON", async () => {
    const door = await openDoor({ routes: [echo] });
    const nowhere = await fetch(`${door.url}/nowhere`);
    expect(nowhere.status).toBe(404);
    expect(await nowhere.json()).toHaveProperty("error");
    const wrong = await fetch(`${door.url}/echo/x`);
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get("allow")).toBe("POST");
    expect(await wrong.json()).toHaveProperty("error");
  });

  it("keeps what went wrong inside to itself", async () => {
    const broken: HttpRoute = {
      ...echo,
      handle: () => Promise.reject(new Error("password is hunter2")),
    };
    const door = await openDoor({ routes: [broken] });
    const response = await fetch(`${door.url}/echo/x`, { method: "POST" });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toMatch(/hunter2|at .*\.ts/);
  });

  it("streams an answer", async () => {
    const stream: HttpRoute = {
      method: "GET",
      path: "/stream",
      authentication: "door",
      handle: async () => ({
        status: 200,
        contentType: "text/event-stream",
        body: new ReadableStream({
          start: (controller) => {
            controller.enqueue(Buffer.from("data: 1\n\n"));
            controller.enqueue(Buffer.from("data: 2\n\n"));
            controller.close();
          },
        }),
      }),
    };
    const door = await openDoor({ routes: [stream] });
    expect(await (await fetch(`${door.url}/stream`)).text()).toBe("data: 1\n\ndata: 2\n\n");
  });
});

describe("who gets in", () => {
  it("refuses to listen for other machines without something that checks callers", async () => {
    const options = { address: "0.0.0.0:0", routes: [echo] };
    await expect(openDoor(options)).rejects.toThrow(ConfigError);
    await expect(openDoor({ ...options, address: ":0" })).rejects.toThrow(/server\.token/);
    await expect(openDoor({ ...options, address: "[::]:0" })).rejects.toThrow(/other machines/);
    await openDoor({ ...options, token: createSecret("a-long-door-token") });
    await openDoor({ ...options, allowPublic: true });
    await openDoor({ ...options, routes: [{ ...echo, authentication: "own" }] });
  });

  it("asks for the token, except for health and for routes that check callers themselves", async () => {
    const trusted: boolean[] = [];
    const own: HttpRoute = {
      method: "POST",
      path: "/own",
      authentication: "own",
      handle: async ({ isTrusted }) => {
        trusted.push(isTrusted);
        return toJsonAnswer(200, {});
      },
    };
    const token = createSecret("a-long-door-token");
    const door = await openDoor({ routes: [echo, own], token });
    const ask = async (path: string, authorization?: string): Promise<number> => {
      const headers = authorization === undefined ? {} : { authorization };
      return (await fetch(door.url + path, { method: "POST", headers })).status;
    };
    expect(await ask("/echo/x")).toBe(401);
    expect(await ask("/echo/x", "Bearer a-long-door-tokem")).toBe(401);
    expect(await ask("/echo/x", "Basic a-long-door-token")).toBe(401);
    expect(await ask("/echo/x", "Bearer a-long-door-token")).toBe(200);
    expect(await ask("/own")).toBe(200);
    expect(await ask("/own", "Bearer a-long-door-token")).toBe(200);
    expect(trusted).toEqual([false, true]);
    expect((await fetch(`${door.url}/healthz`)).status).toBe(200);
  });

  it("shows nobody behind it what proved a caller to it, or to a proxy in front of it", async () => {
    const show: HttpRoute = {
      method: "GET",
      path: "/show",
      authentication: "own",
      handle: async ({ headers }) => toJsonAnswer(200, { shown: headers["authorization"] ?? null }),
    };
    const ask = async (options: Partial<HttpDoorOptions>): Promise<unknown> => {
      const door = await openDoor({ routes: [show], ...options });
      const headers = { authorization: "Basic of the proxy" };
      return (await fetch(`${door.url}/show`, { headers })).json();
    };
    expect(await ask({ token: createSecret("a-long-door-token") })).toEqual({ shown: null });
    expect(await ask({ allowPublic: true })).toEqual({ shown: null });
    expect(await ask({})).toEqual({ shown: "Basic of the proxy" });
  });

  it("keeps pages of other origins and rebound names out when no token protects it", async () => {
    const door = await openDoor({ routes: [echo] });
    const ask = (headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) => {
        const asking = request(`${door.url}/echo/x`, { method: "POST", headers }, (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        });
        asking.once("error", reject);
        asking.end();
      });
    expect(await ask({ host: "evil.example:3978" })).toBe(403);
    expect(await ask({ host: "127.0.0.1.evil.example" })).toBe(403);
    expect(await ask({ origin: "https://evil.example" })).toBe(403);
    expect(await ask({ origin: "null" })).toBe(403);
    expect(await ask({ host: "localhost:9" })).toBe(200);
    expect(await ask({ host: "[::1]:9", origin: "http://localhost:5173" })).toBe(200);
  });

  it("says which address is not one, and which is taken", async () => {
    await expect(openDoor({ address: "localhost" })).rejects.toThrow(/host:port/);
    await expect(openDoor({ address: "127.0.0.1:70000" })).rejects.toThrow(/host:port/);
    const other = createServer();
    await new Promise<void>((resolve) => {
      other.listen(0, "127.0.0.1", resolve);
    });
    const { port } = other.address() as AddressInfo;
    await expect(openDoor({ address: `127.0.0.1:${port}` })).rejects.toThrow(/cannot listen/);
    other.close();
  });
});

describe("bounds of the door", () => {
  it("refuses bodies that are too large, declared or not", async () => {
    const door = await openDoor({ routes: [echo], limits: { maxBodyBytes: 1_000 } });
    const ask = async (body: string | ReadableStream<Uint8Array>): Promise<Response> =>
      fetch(`${door.url}/echo/x`, { method: "POST", body, duplex: "half" });
    expect((await ask("x".repeat(1_000))).status).toBe(200);
    const declared = await ask("x".repeat(1_001));
    expect(declared.status).toBe(413);
    expect(await declared.json()).toHaveProperty("error");
    const chunked = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (let i = 0; i < 20; i += 1) controller.enqueue(Buffer.alloc(100));
        controller.close();
      },
    });
    expect((await ask(chunked)).status).toBe(413);
  });

  it("takes larger bodies where a route says so, and nowhere else", async () => {
    const roomy = { ...echo, path: "/roomy/:name", maxBodyBytes: 2_000 };
    const door = await openDoor({ routes: [echo, roomy], limits: { maxBodyBytes: 1_000 } });
    const ask = async (path: string, length: number): Promise<number> =>
      (await fetch(door.url + path, { method: "POST", body: "x".repeat(length) })).status;
    expect(await ask("/roomy/x", 2_000)).toBe(200);
    expect(await ask("/roomy/x", 2_001)).toBe(413);
    expect(await ask("/echo/x", 1_001)).toBe(413);
  });

  it("bounds what all bodies together hold, and frees it again", async () => {
    const limits = { maxBodyBytes: 1_000, maxBodyBytesTogether: 1_500 };
    const door = await openDoor({ routes: [echo], limits });
    const holding = dial(door);
    const head = "POST /echo/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n";
    holding.socket.write(head + "x".repeat(900));
    const ask = (): Promise<Response> =>
      fetch(`${door.url}/echo/x`, { method: "POST", body: "x".repeat(700) });
    await vi.waitFor(async () => expect((await ask()).status).toBe(503));
    holding.socket.destroy();
    await vi.waitFor(async () => expect((await ask()).status).toBe(200));
    for (let i = 0; i < 10; i += 1) expect((await ask()).status).toBe(200);
  });

  it("cuts clients that are slow with headers, with a body, or with everything", async () => {
    const limits = { headersTimeoutMs: 200, requestTimeoutMs: 300 };
    const door = await openDoor({ routes: [echo], limits });
    const silent = dial(door);
    const slowHeaders = dial(door);
    slowHeaders.socket.write("POST /echo/x HTTP/1.1\r\nHost: localhost\r\n");
    const slowBody = dial(door);
    slowBody.socket.write(
      "POST /echo/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab",
    );
    await Promise.all([silent.closed, slowHeaders.closed, slowBody.closed]);
    expect((await fetch(`${door.url}/healthz`)).status).toBe(200);
  });

  it("takes no more connections than it may", async () => {
    const door = await openDoor({ limits: { maxConnections: 2 } });
    const first = dial(door);
    const second = dial(door);
    const ask = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    first.socket.write(ask);
    second.socket.write(ask);
    await vi.waitFor(() => expect(first.received() + second.received()).toMatch(/200.*200/s));
    const third = dial(door);
    third.socket.write(ask);
    await third.closed;
    expect(third.received()).toBe("");
    first.socket.destroy();
    second.socket.destroy();
  });

  it("survives bytes that are not HTTP", async () => {
    const door = await openDoor();
    const broken = dial(door);
    broken.socket.write("\0\u0001garbage\r\n\r\n");
    await broken.closed;
    expect(broken.received()).toMatch(/^HTTP\/1\.1 400/);
    const nameless = dial(door);
    nameless.socket.write("GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n");
    await vi.waitFor(() => expect(nameless.received()).toMatch(/^HTTP\/1\.1 400/));
    nameless.socket.destroy();
    expect((await fetch(`${door.url}/healthz`)).status).toBe(200);
  });

  it("finishes requests under way when it closes, and takes no new ones", async () => {
    let finish = (): void => {};
    const started = Promise.withResolvers<void>();
    const slow: HttpRoute = {
      ...echo,
      handle: async () => {
        started.resolve();
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        return toJsonAnswer(200, { done: true });
      },
    };
    const door = await openDoor({ routes: [slow] });
    const idle = dial(door);
    idle.socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await vi.waitFor(() => expect(idle.received()).toContain("200"));
    const answer = fetch(`${door.url}/echo/x`, { method: "POST" });
    await started.promise;
    const closing = door[Symbol.asyncDispose]();
    await idle.closed;
    await expect(fetch(`${door.url}/healthz`)).rejects.toThrow(/fetch failed/);
    finish();
    const response = await answer;
    expect(response.headers.get("connection")).toBe("close");
    expect(await response.json()).toEqual({ done: true });
    await closing;
  });

  it("cuts requests that do not finish in time when it closes", async () => {
    const started = Promise.withResolvers<void>();
    const stuck: HttpRoute = {
      ...echo,
      handle: () => {
        started.resolve();
        return new Promise(() => {});
      },
    };
    const door = await openDoor({ routes: [stuck], limits: { closeTimeoutMs: 50 } });
    const answer = fetch(`${door.url}/echo/x`, { method: "POST" });
    answer.catch(() => {});
    await started.promise;
    await door[Symbol.asyncDispose]();
    await expect(answer).rejects.toThrow(/fetch failed/);
  });
});
