import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { toAcceptKey } from "../websocket-client.ts";
import { createFrameReader, encodeFrame, opcodes } from "../websocket-frames.ts";

/** The server's end of a WebSocket connection. */
export interface WebSocketPeer {
  readonly received: readonly string[];
  readonly pings: () => number;
  readonly sendText: (text: string) => void;
  readonly sendRaw: (bytes: Uint8Array) => void;
  readonly close: () => void;
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
  const accept = toAcceptKey(request.headers["sec-websocket-key"] ?? "");
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const reader = createFrameReader(64 * 1024 * 1024, true);
  const received: string[] = [];
  let pings = 0;
  let isAlive = true;
  const write = (opcode: number, data: Uint8Array): void => {
    if (socket.writable) socket.write(encodeFrame(opcode, data, false));
  };
  socket.on("data", (chunk: Buffer) => {
    for (const event of reader.push(chunk)) {
      if (event.kind === "text") {
        received.push(event.text);
        onText(event.text);
      } else if (event.kind === "ping") {
        pings += 1;
        if (isAlive) write(opcodes.pong, event.data);
      } else if (event.kind === "close") socket.end();
    }
  });
  socket.on("error", () => socket.destroy());
  return {
    received,
    pings: () => pings,
    sendText: (text) => write(opcodes.text, Buffer.from(text)),
    sendRaw: (bytes) => {
      socket.write(bytes);
    },
    close: () => {
      write(opcodes.close, Buffer.from([0x03, 0xe8]));
    },
    drop: () => {
      socket.destroy();
    },
    setAlive: (next) => {
      isAlive = next;
    },
    isOpen: () => !socket.destroyed,
  };
}
