import { createServer, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface StubRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** As it came over the wire. */
  readonly target: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly bytes: Buffer;
  /** The body as JSON, `{}` when it is none. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface StubAnswer {
  readonly status?: number;
  readonly json?: unknown;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

export type StubHandler = (request: StubRequest) => StubAnswer | Promise<StubAnswer>;

/** A real HTTP server that answers as the test decides and remembers what it was asked. */
export interface StubServer extends AsyncDisposable {
  readonly url: string;
  readonly requests: readonly StubRequest[];
  readonly openConnections: () => number;
  /** Decides first; `undefined` leaves the request to the usual handler. */
  readonly intercept: (
    handler:
      | ((request: StubRequest) => StubAnswer | undefined | Promise<StubAnswer | undefined>)
      | undefined,
  ) => void;
  /** Breaks all connections without a word. */
  readonly cut: () => void;
}

export interface StubServerOptions {
  readonly handle: StubHandler;
  readonly onUpgrade?:
    | ((request: IncomingMessage, socket: Socket, head: Buffer) => void)
    | undefined;
}

export async function startStubServer({
  handle,
  onUpgrade,
}: StubServerOptions): Promise<StubServer> {
  const requests: StubRequest[] = [];
  const sockets = new Set<Socket>();
  let intercept: Parameters<StubServer["intercept"]>[0];
  const server = createServer((incoming, outgoing) => {
    const serve = async (): Promise<void> => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const bytes = Buffer.concat(chunks);
      const body = bytes.toString("utf8");
      const url = new URL(incoming.url ?? "/", "http://localhost");
      const request: StubRequest = {
        method: incoming.method ?? "",
        path: url.pathname,
        target: incoming.url ?? "",
        query: url.searchParams,
        headers: incoming.headers,
        body,
        bytes,
        json: toJson(body),
      };
      requests.push(request);
      const answer = (await intercept?.(request)) ?? (await handle(request));
      if (outgoing.destroyed) return;
      outgoing.writeHead(answer.status ?? 200, {
        "Content-Type": "application/json",
        ...answer.headers,
      });
      outgoing.end(answer.body ?? JSON.stringify(answer.json ?? {}));
    };
    serve().catch(() => outgoing.destroy());
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  if (onUpgrade !== undefined) {
    server.on("upgrade", (request, socket, head) => onUpgrade(request, socket as Socket, head));
  }
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    openConnections: () => sockets.size,
    intercept: (next) => {
      intercept = next;
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function toJson(body: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(body) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
