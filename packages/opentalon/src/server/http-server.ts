import { getRequestListener, type HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import { createServer, type Server } from "node:http";

export interface HttpServerLimits {
  readonly maxConnections: number;
  /** From the connection, or the end of the last request, to the last byte of the headers. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to its last. */
  readonly requestTimeoutMs: number;
}

/** A server that does not listen yet, with a bound for everything a client may do slowly. */
export function createHttpServer(
  app: Hono<{ Bindings: HttpBindings }>,
  { maxConnections, headersTimeoutMs, requestTimeoutMs }: HttpServerLimits,
): Server {
  const answer = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  const server = createServer(
    {
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.max(10, Math.min(1_000, headersTimeoutMs / 4)),
      keepAliveTimeout: 5_000,
      noDelay: true,
    },
    (incoming, outgoing) => void answer(incoming, outgoing),
  );
  server.maxConnections = maxConnections;
  return server;
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
