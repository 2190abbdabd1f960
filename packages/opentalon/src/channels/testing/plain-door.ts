import { createServer, type OutgoingHttpHeaders } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { WebSocketServer } from "ws";
import { type Clock, systemClock } from "../../base/clock.ts";
import type { HttpRoute } from "../../base/http-route.ts";
import { toMessageSocket } from "../../base/message-socket.ts";
import type { SocketRoute } from "../../base/socket-route.ts";

/** A real server around routes, without most of the bounds and the care of the program's own door. */
export interface PlainDoor extends AsyncDisposable {
  readonly url: string;
  /** Breaks all connections without a word. */
  readonly cut: () => void;
  /** WebSockets at the moment. */
  readonly openSockets: () => number;
  /** What routes are told about callers. */
  readonly setTrusted: (isTrusted: boolean) => void;
}

const defaultMaxBodyBytes = 1_048_576;

export async function startPlainDoor(
  routes: readonly HttpRoute[],
  socketRoutes: readonly SocketRoute[] = [],
  clock: Clock = systemClock,
): Promise<PlainDoor> {
  let isTrusted = true;
  const server = createServer((incoming, outgoing) => {
    const serve = async (): Promise<void> => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const url = new URL(incoming.url ?? "/", "http://localhost");
      const found = routes
        .map((route) => ({ route, parameters: matchPath(route.path, url.pathname) }))
        .find(({ parameters }) => parameters !== undefined);
      if (found?.parameters === undefined) {
        outgoing.writeHead(404).end();
        return;
      }
      const body = Buffer.concat(chunks);
      if (body.length > (found.route.maxBodyBytes ?? defaultMaxBodyBytes)) {
        outgoing.writeHead(413).end();
        return;
      }
      const answer = await found.route.handle({
        method: incoming.method ?? "",
        path: url.pathname,
        parameters: found.parameters,
        query: (name) => url.searchParams.get(name) ?? undefined,
        target: incoming.url ?? "/",
        headers: incoming.headers,
        signal: new AbortController().signal,
        header: (name) => incoming.headers[name]?.toString(),
        body,
        isTrusted,
      });
      outgoing.writeHead(answer.status, {
        "Content-Type": answer.contentType,
        ...(answer.headers as OutgoingHttpHeaders),
      });
      outgoing.end(answer.body);
    };
    // A caller that is gone hears nothing.
    serve().catch(() => outgoing.destroy());
  });
  const connections = new Set<Socket>();
  server.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  let openSockets = 0;
  server.on("upgrade", (incoming, connection, head) => {
    const url = new URL(incoming.url ?? "/", "http://localhost");
    const { origin, host } = incoming.headers;
    for (const route of socketRoutes) {
      const parameters = matchPath(route.path, url.pathname);
      if (parameters === undefined) continue;
      const request = {
        parameters,
        query: (name: string) => url.searchParams.get(name) ?? undefined,
        origin,
        isSameOrigin: origin !== undefined && new URL(origin).host === host,
        isTrusted,
      };
      if (route.findRefusal?.(request) !== undefined) break;
      openSockets += 1;
      connection.once("close", () => {
        openSockets -= 1;
      });
      const sockets = new WebSocketServer({
        noServer: true,
        clientTracking: false,
        maxPayload: route.maxMessageBytes,
        perMessageDeflate: false,
      });
      sockets.handleUpgrade(incoming, connection, head, (raw) =>
        route.open({ ...toMessageSocket(raw, { clock }), welcome: () => {} }, request),
      );
      return;
    }
    connection.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      for (const socket of connections) socket.destroy();
    },
    openSockets: () => openSockets,
    setTrusted: (next) => {
      isTrusted = next;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const names = pattern.split("/");
  const values = path.split("/");
  if (names.length !== values.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const value = values[index] ?? "";
    if (name.startsWith(":")) parameters[name.slice(1)] = decodeURIComponent(value);
    else if (name !== value) return undefined;
  }
  return parameters;
}
