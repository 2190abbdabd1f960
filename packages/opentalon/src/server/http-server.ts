import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import type { HttpApp } from "./http-app.ts";

export interface HttpServerLimits {
  readonly maxConnections: number;
  /** Connections that have not asked for anything yet; beyond it the oldest of them is cut. */
  readonly maxSilentConnections: number;
  /** From the connection, or the end of the last request, to the last byte of the headers. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to its last. */
  readonly requestTimeoutMs: number;
}

/** A server that does not listen yet, with a bound for everything a client may do slowly. */
export function createHttpServer(
  app: HttpApp,
  limits: HttpServerLimits,
  wantsSocket: (incoming: IncomingMessage) => boolean = () => false,
): Server {
  const { maxConnections, maxSilentConnections, headersTimeoutMs, requestTimeoutMs } = limits;
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.max(10, Math.min(1_000, headersTimeoutMs / 4)),
      keepAliveTimeout: 5_000,
      noDelay: true,
      shouldUpgradeCallback: wantsSocket,
    },
    app,
  );
  server.maxConnections = maxConnections;
  limitSilence(server, maxSilentConnections);
  return server;
}

/** Keeps clients that never finish their first request from taking the place of those that ask for something. */
function limitSilence(server: Server, maxSilent: number): void {
  const silent = new Set<Socket>();
  server.on("connection", (socket) => {
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
    const [oldest] = silent;
    if (silent.size > maxSilent) oldest?.destroy();
  });
  server.on("request", ({ socket }) => void silent.delete(socket));
  server.on("upgrade", ({ socket }) => void silent.delete(socket));
}

/** Refuses new connections, lets requests under way finish, and cuts after `timeoutMs` what is left. */
export function closeServer(server: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.closeIdleConnections();
  });
}
