import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";

/** The server's end of a WebSocket connection. */
export interface WebSocketPeer {
  readonly received: readonly string[];
  readonly pings: () => number;
  readonly sendText: (text: string) => void;
  /** Bytes beside all rules. */
  readonly sendRaw: (bytes: Uint8Array) => void;
  /** 1000 unless said. */
  readonly close: (code?: number) => void;
  /** Cuts the connection without a word. */
  readonly drop: () => void;
  /** Whether pings are answered. */
  readonly setAlive: (isAlive: boolean) => void;
  readonly isOpen: () => boolean;
}

/** Agrees to the upgrade a client asks for. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Socket,
  onText: (text: string) => void = () => undefined,
): WebSocketPeer {
  const server = new WebSocketServer({
    noServer: true,
    autoPong: false,
    maxPayload: 64 * 1024 * 1024,
  });
  const received: string[] = [];
  let pings = 0;
  let isAlive = true;
  let end: WebSocket | undefined;
  server.handleUpgrade(request, socket, Buffer.alloc(0), (accepted) => {
    end = accepted;
  });
  end?.on("message", (data) => {
    const text = (data as Buffer).toString("utf8");
    received.push(text);
    onText(text);
  });
  end?.on("ping", (data) => {
    pings += 1;
    if (isAlive) end?.pong(data);
  });
  end?.on("error", () => socket.destroy());
  return {
    received,
    pings: () => pings,
    sendText: (text) => end?.send(text),
    sendRaw: (bytes) => {
      socket.write(bytes);
    },
    close: (code = 1000) => end?.close(code),
    drop: () => {
      socket.destroy();
    },
    setAlive: (next) => {
      isAlive = next;
    },
    isOpen: () => !socket.destroyed,
  };
}
