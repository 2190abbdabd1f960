/**
 * Gets: requests that ask for a WebSocket. Gives: open sockets to the routes they are for.
 * Never: lets a stranger keep a connection, or fill memory, before it has said who it is.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocketServer } from "ws";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { closeTimeoutMs, toMessageSocket } from "../base/message-socket.ts";
import type { SocketRequest, SocketRoute } from "../base/socket-route.ts";

export interface SocketDoorLimits {
  /** Sockets at once, of all routes together. */
  readonly maxSockets: number;
  /** Sockets at once that nobody has welcomed yet. */
  readonly maxStrangers: number;
  /** How long a stranger may stay. */
  readonly strangerTimeoutMs: number;
  /** What a stranger may send, in bytes. */
  readonly maxStrangerBytes: number;
}

export const defaultSocketLimits: SocketDoorLimits = {
  maxSockets: 1_024,
  maxStrangers: 256,
  strangerTimeoutMs: 10_000,
  maxStrangerBytes: 65_536,
};

export interface SocketDoorOptions {
  readonly routes: readonly SocketRoute[];
  readonly isTrusted: (headers: IncomingHttpHeaders) => boolean;
  readonly limits: SocketDoorLimits;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SocketDoor {
  /** Whether a request asks for a WebSocket this door offers; all others are ordinary requests. */
  readonly wants: (incoming: IncomingMessage) => boolean;
  readonly upgrade: (incoming: IncomingMessage, connection: Duplex, head: Buffer) => void;
  /** Takes no more, and ends all in good order; resolves when all are gone. */
  readonly close: () => Promise<void>;
}

export function createSocketDoor(options: SocketDoorOptions): SocketDoor {
  const { routes, isTrusted, limits, clock, log } = options;
  const open = new Set<Duplex>();
  const strangers = new Set<Duplex>();
  const closers = new Set<() => void>();
  let isClosing = false;
  let library: Promise<typeof import("ws")> | undefined;
  const servers = new Map<SocketRoute, WebSocketServer>();

  const toServer = async (route: SocketRoute): Promise<WebSocketServer> => {
    // Loaded with the first socket: a start should not wait for it.
    const { WebSocketServer } = await (library ??= import("ws"));
    const known =
      servers.get(route) ??
      new WebSocketServer({
        noServer: true,
        clientTracking: false,
        maxPayload: route.maxMessageBytes,
        perMessageDeflate: false,
      });
    servers.set(route, known);
    return known;
  };

  const take = async (
    { route, request }: Visit,
    incoming: IncomingMessage,
    connection: Duplex,
    head: Buffer,
  ): Promise<void> => {
    const server = await toServer(route);
    if (connection.destroyed || isClosing) {
      connection.destroy();
      return;
    }
    server.handleUpgrade(incoming, connection, head, (raw) => {
      const socket = toMessageSocket(raw, { clock });
      let receivedBytes = head.byteLength;
      const count = (chunk: Buffer): void => {
        receivedBytes += chunk.byteLength;
        if (receivedBytes > limits.maxStrangerBytes) connection.destroy();
      };
      const cancel = clock.after(limits.strangerTimeoutMs, () =>
        socket.close(4408, "say who you are within seconds"),
      );
      const welcome = (): void => {
        cancel();
        connection.off("data", count);
        strangers.delete(connection);
      };
      connection.on("data", count);
      const leave = (): void => socket.close(1001, "OpenTalon is stopping");
      closers.add(leave);
      socket.onClose(() => {
        welcome();
        closers.delete(leave);
      });
      try {
        route.open({ ...socket, welcome }, request);
      } catch (error) {
        log.error({ err: error, path: route.path }, "a socket could not be taken");
        socket.close(1011, "something went wrong inside");
      }
    });
  };

  return {
    wants: (incoming) =>
      incoming.headers.upgrade?.toLowerCase() === "websocket" &&
      findRoute(routes, incoming) !== undefined,
    upgrade: (incoming, connection, head) => {
      connection.on("error", () => connection.destroy());
      const found = findRoute(routes, incoming);
      if (found === undefined) return refuse(connection, 404, "there is nothing at this address");
      if (isClosing || open.size >= limits.maxSockets || strangers.size >= limits.maxStrangers) {
        return refuse(connection, 503, "too many connections, or stopping; try again later");
      }
      const request = toRequest(incoming, found, isTrusted(incoming.headers));
      const problem = found.route.findRefusal?.(request);
      if (problem !== undefined) return refuse(connection, 403, problem);
      open.add(connection);
      strangers.add(connection);
      connection.once("close", () => {
        open.delete(connection);
        strangers.delete(connection);
      });
      take({ route: found.route, request }, incoming, connection, head).catch((error: unknown) => {
        log.error({ err: error, path: found.route.path }, "a socket could not be opened");
        connection.destroy();
      });
    },
    close: async () => {
      isClosing = true;
      for (const leave of closers) leave();
      await Promise.all([...open].map((connection) => untilClosed(connection, clock)));
    },
  };
}

interface Visit {
  readonly route: SocketRoute;
  readonly request: SocketRequest;
}

interface FoundRoute {
  readonly route: SocketRoute;
  readonly parameters: Readonly<Record<string, string>>;
  readonly url: URL;
}

function findRoute(
  routes: readonly SocketRoute[],
  { url: target = "/" }: IncomingMessage,
): FoundRoute | undefined {
  const url = URL.parse(target, "http://door");
  if (url === null) return undefined;
  for (const route of routes) {
    const parameters = matchPath(route.path, url.pathname);
    if (parameters !== undefined) return { route, parameters, url };
  }
  return undefined;
}

function matchPath(pattern: string, path: string): Readonly<Record<string, string>> | undefined {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, name] of wanted.entries()) {
    const value = given[index] ?? "";
    if (!name.startsWith(":")) {
      if (name !== value) return undefined;
      continue;
    }
    try {
      parameters[name.slice(1)] = decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }
  return parameters;
}

function toRequest(
  { headers: { origin, host } }: IncomingMessage,
  { parameters, url }: FoundRoute,
  isTrusted: boolean,
): SocketRequest {
  return {
    parameters,
    query: (name) => url.searchParams.get(name) ?? undefined,
    origin,
    isSameOrigin: origin !== undefined && URL.parse(origin)?.host === host?.toLowerCase(),
    isTrusted,
  };
}

function refuse(connection: Duplex, status: number, error: string): void {
  const body = JSON.stringify({ error });
  const words: Readonly<Record<number, string>> = { 403: "Forbidden", 404: "Not Found" };
  connection.end(
    `HTTP/1.1 ${status} ${words[status] ?? "Service Unavailable"}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
      `${status === 503 ? "Retry-After: 5\r\n" : ""}Connection: close\r\n\r\n${body}`,
    () => connection.destroy(),
  );
}

/** Those that do not go by themselves are cut. */
async function untilClosed(connection: Duplex, clock: Clock): Promise<void> {
  if (connection.closed) return;
  const closed = new Promise<void>((resolve) => {
    connection.once("close", () => resolve());
  });
  const cancel = clock.after(closeTimeoutMs + 500, () => connection.destroy());
  await closed;
  cancel();
}
