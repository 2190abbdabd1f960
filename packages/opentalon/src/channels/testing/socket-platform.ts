import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";
import type { Frame } from "./socket-peer.ts";

/** A platform that is dialled, and answers as the test decides. */
export interface SocketPlatform extends AsyncDisposable {
  readonly url: URL;
  /** Frames of all connections, in order. */
  readonly frames: readonly Frame[];
  /** Headers of each connection that was asked for. */
  readonly dialled: readonly IncomingHttpHeaders[];
  readonly openConnections: () => number;
  /** Called with each frame that arrives, and with how to answer it. */
  readonly onFrame: (listener: (frame: Frame, answer: (frame: Frame) => void) => void) => void;
  /** Called with each connection that is opened. */
  readonly onConnection: (listener: (socket: WebSocket) => void) => void;
  readonly send: (frame: Frame) => void;
  /** Cuts all connections without a word. */
  readonly cut: () => void;
  /** Refuses connections, or takes them again. */
  readonly refuse: (isRefusing: boolean) => void;
}

export async function startSocketPlatform(): Promise<SocketPlatform> {
  const frames: Frame[] = [];
  const dialled: IncomingHttpHeaders[] = [];
  const open = new Set<WebSocket>();
  let isRefusing = false;
  let connected = (_socket: WebSocket): void => {};
  let listener = (_frame: Frame, _answer: (frame: Frame) => void): void => {};
  const server = createServer();
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: 64 * 1024 * 1024,
    perMessageDeflate: false,
  });
  server.on("upgrade", (incoming, connection, head) => {
    dialled.push(incoming.headers);
    if (isRefusing) {
      connection.end("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(incoming, connection, head, (socket) => {
      open.add(socket);
      connected(socket);
      socket.on("error", () => {});
      socket.on("close", () => void open.delete(socket));
      socket.on("message", (data) => {
        const frame = JSON.parse((data as Buffer).toString()) as Frame;
        frames.push(frame);
        listener(frame, (answer) => socket.send(JSON.stringify(answer), () => {}));
      });
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`ws://127.0.0.1:${port}/channel`),
    frames,
    dialled,
    openConnections: () => open.size,
    onFrame: (next) => {
      listener = next;
    },
    onConnection: (next) => {
      connected = next;
    },
    send: (frame) => {
      for (const socket of open) socket.send(JSON.stringify(frame), () => {});
    },
    cut: () => {
      for (const socket of open) socket.terminate();
    },
    refuse: (next) => {
      isRefusing = next;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.terminate();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
