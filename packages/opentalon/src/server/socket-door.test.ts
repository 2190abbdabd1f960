import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import type { SocketRequest, SocketRoute, VisitorSocket } from "../base/socket-route.ts";
import { createHttpDoor, type HttpDoor, type HttpDoorOptions } from "./http-door.ts";

const open: AsyncDisposable[] = [];
const sockets: Socket[] = [];
const clock = createManualClock();

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const door of open.splice(0)) await door[Symbol.asyncDispose]();
});

async function openDoor(
  route: Partial<SocketRoute> = {},
  options: Partial<HttpDoorOptions> = {},
): Promise<HttpDoor> {
  const echo: SocketRoute = {
    path: "/echo/:name",
    maxMessageBytes: 1_000,
    open: (socket) => {
      socket.welcome();
      socket.onMessage((text) => void socket.send(text));
    },
    ...route,
  };
  const door = await createHttpDoor({
    address: "127.0.0.1:0",
    routes: [],
    socketRoutes: [echo],
    findUnready: () => [],
    clock,
    log: createSilentLog(),
    ...options,
  });
  open.push(door);
  return door;
}

interface RawClient {
  readonly socket: Socket;
  readonly received: () => Buffer;
  readonly closed: Promise<void>;
}

/** Asks for a WebSocket by hand, so that frames can be wrong. */
async function dial(
  door: HttpDoor,
  headers = "",
  path = "/echo/a%20b?colour=red",
): Promise<RawClient> {
  const { port, host } = new URL(door.url);
  const socket = connect(Number(port), "127.0.0.1");
  sockets.push(socket);
  let received = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
  });
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`,
  );
  await vi.waitFor(() => expect(received.includes("\r\n\r\n")).toBe(true));
  return { socket, received: () => received, closed };
}

/** A masked frame; the mask is zero, so that the payload can be read. */
function toFrame(opcode: number, payload: Uint8Array): Buffer {
  const length =
    payload.length < 126
      ? Buffer.from([0x80 | payload.length])
      : Buffer.from([0x80 | 126, payload.length >> 8, payload.length & 0xff]);
  return Buffer.concat([Buffer.from([0x80 | opcode]), length, Buffer.alloc(4), payload]);
}

/** The code of the close frame among what was received. */
function readCloseCode(received: Buffer): number | undefined {
  const body = received.subarray(received.indexOf("\r\n\r\n") + 4);
  const at = body.indexOf(0x88);
  return at < 0 ? undefined : body.readUInt16BE(at + 2);
}

describe("WebSockets at the HTTP door", () => {
  it("reach their route, with parameters, query, origin and whether the door knows the caller", async () => {
    const requests: SocketRequest[] = [];
    const door = await openDoor({ open: (_, request) => void requests.push(request) });
    const { host } = new URL(door.url);
    const { received } = await dial(door);
    expect(received().toString()).toMatch(/^HTTP\/1.1 101 /);
    await dial(door, `Origin: http://${host}\r\n`);
    await dial(door, "Origin: https://evil.example\r\n");
    expect(
      requests.map(({ origin, isSameOrigin, isTrusted }) => [origin, isSameOrigin, isTrusted]),
    ).toEqual([
      [undefined, false, true],
      [`http://${host}`, true, true],
      ["https://evil.example", false, false],
    ]);
    expect(requests[0]?.parameters).toEqual({ name: "a b" });
    expect(requests[0]?.query("colour")).toBe("red");
  });

  it("carry texts both ways", async () => {
    const door = await openDoor();
    const { socket, received } = await dial(door);
    socket.write(toFrame(1, Buffer.from("Grüße 🎉")));
    await vi.waitFor(() => expect(received().includes("Grüße 🎉")).toBe(true));
  });

  it("are refused before they are opened, as the route says", async () => {
    const door = await openDoor({ findRefusal: () => "not you" });
    const { received, closed } = await dial(door);
    await closed;
    expect(received().toString()).toMatch(/^HTTP\/1.1 403 [^]*"not you"/);
  });

  it("leave all other requests alone", async () => {
    const door = await openDoor();
    expect((await fetch(`${door.url}/echo/x`)).status).toBe(426);
    const elsewhere = await dial(door, "", "/healthz");
    expect(elsewhere.received().toString()).toMatch(/^HTTP\/1.1 200 /);
    const { received } = await dial(door, "", "/echo/%zz");
    expect(received().toString()).toMatch(/^HTTP\/1.1 4\d\d /);
  });

  it("end with the code that says what was wrong", async () => {
    const door = await openDoor();
    const cases: readonly [number, Buffer][] = [
      [1007, toFrame(1, Buffer.from([0xc3, 0x28]))],
      [1009, toFrame(1, Buffer.alloc(1_001, 0x61))],
      [1003, toFrame(2, Buffer.from("bytes"))],
      // Not masked, a reserved bit, a control frame in pieces.
      [1002, Buffer.from([0x81, 0x01, 0x61])],
      [1002, Buffer.concat([Buffer.from([0xc1, 0x80]), Buffer.alloc(4)])],
      [1002, Buffer.concat([Buffer.from([0x09, 0x80]), Buffer.alloc(4)])],
    ];
    for (const [code, bytes] of cases) {
      const { socket, received } = await dial(door);
      socket.write(bytes);
      await vi.waitFor(() => expect(readCloseCode(received())).toBe(code));
    }
  });

  it("survive any bytes", async () => {
    const door = await openDoor();
    for (let seed = 1; seed <= 60; seed += 1) {
      const { socket } = await dial(door);
      const bytes = Buffer.from(
        Array.from({ length: 300 }, (_, at) => (seed * 7_919 + at * seed * 31) % 256),
      );
      socket.end(bytes);
    }
    const { socket, received } = await dial(door);
    socket.write(toFrame(1, Buffer.from("still here")));
    await vi.waitFor(() => expect(received().includes("still here")).toBe(true));
  });

  it("end in good order when the door closes", async () => {
    const door = await openDoor();
    const { socket, received, closed } = await dial(door);
    const closing = door[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(readCloseCode(received())).toBe(1001));
    socket.end(toFrame(8, Buffer.from([0x03, 0xe9])));
    await closed;
    await closing;
  });

  it("are cut when the other side does not answer the close", async () => {
    const door = await openDoor();
    const { received, closed } = await dial(door);
    const closing = door[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(readCloseCode(received())).toBe(1001));
    clock.advance(3_000);
    await closed;
    await closing;
  });
});

describe("strangers at a WebSocket", () => {
  const quiet = (taken: VisitorSocket[] = []): Partial<SocketRoute> => ({
    maxMessageBytes: 1_000_000,
    open: (socket) => {
      taken.push(socket);
      socket.onMessage(() => {});
    },
  });

  it("are cut when they do not say in time who they are", async () => {
    const taken: VisitorSocket[] = [];
    const door = await openDoor(quiet(taken));
    const [stranger, friend] = [await dial(door), await dial(door)];
    taken[1]?.welcome();
    clock.advance(10_000);
    await vi.waitFor(() => expect(readCloseCode(stranger.received())).toBe(4408));
    clock.advance(3_000);
    await stranger.closed;
    expect(readCloseCode(friend.received())).toBe(undefined);
  });

  it("may not fill memory with a large message", async () => {
    const door = await openDoor(quiet());
    const { socket, closed } = await dial(door);
    const header = Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x0f, 0, 0, 0, 0, 0, 0]);
    socket.write(header);
    const pour = (): void => {
      if (!socket.destroyed) socket.write(Buffer.alloc(16_384), () => setImmediate(pour));
    };
    pour();
    await closed;
    expect(socket.bytesWritten).toBeLessThan(10_000_000);
  });

  it("get no connection when there are too many of them", async () => {
    const door = await openDoor(quiet(), { limits: { maxStrangers: 2 } });
    await dial(door);
    await dial(door);
    const { received } = await dial(door);
    expect(received().toString()).toMatch(/^HTTP\/1.1 503 [^]*Retry-After/);
  });

  it("show no sign of life for two heartbeats: then they are gone", async () => {
    const taken: VisitorSocket[] = [];
    const door = await openDoor(quiet(taken));
    const { received, closed } = await dial(door);
    taken[0]?.welcome();
    clock.advance(25_000);
    // A ping: there is no pong in this client.
    await vi.waitFor(() => expect(received().includes(Buffer.from([0x89, 0x00]))).toBe(true));
    clock.advance(25_000);
    await closed;
  });
});

describe("connections that say nothing", () => {
  it("do not take the place of those that ask for something", async () => {
    const door = await openDoor({}, { limits: { maxSilentConnections: 5 } });
    const { port } = new URL(door.url);
    const silent = Array.from({ length: 20 }, () => connect(Number(port), "127.0.0.1"));
    sockets.push(...silent);
    for (const socket of silent) {
      socket.on("error", () => {});
      socket.resume();
    }
    await vi.waitFor(() => expect(silent.filter(({ closed }) => closed)).toHaveLength(15));
    expect((await fetch(`${door.url}/healthz`)).status).toBe(200);
  });
});
