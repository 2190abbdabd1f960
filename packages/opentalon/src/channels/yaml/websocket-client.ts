import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { formatDuration } from "../../base/duration.ts";
import { ChannelError, toMessage } from "../../base/errors.ts";
import {
  createFrameReader,
  encodeFrame,
  opcodes,
  WebSocketProtocolError,
} from "./websocket-frames.ts";

/** An open connection of ours to a WebSocket server. */
export interface WebSocketConnection {
  readonly sendText: (text: string) => void;
  /** Stops reading, so that the server waits. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** Says goodbye and ends the connection. */
  readonly close: () => void;
  /** Resolves with the reason once the connection is gone. */
  readonly closed: Promise<string>;
}

export interface WebSocketOptions {
  readonly url: URL;
  readonly onText: (text: string) => void;
  readonly maxMessageBytes: number;
  /** The peer is asked for a sign of life after half of it, and given up after all of it. */
  readonly idleTimeoutMs: number;
  readonly openTimeoutMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

const closeGraceMs = 1_000;

/**
 * Connects; resolves when the server has agreed. The client of the platform would not do: it can neither ask a silent
 * peer for a sign of life nor bound the size of a message.
 * @throws ChannelError CHANNEL_REFUSED without the address: it may hold a ticket.
 */
export async function openWebSocket(options: WebSocketOptions): Promise<WebSocketConnection> {
  const { url, signal, clock, openTimeoutMs } = options;
  const isSecure = url.protocol === "wss:";
  const { request } = isSecure ? await import("node:https") : await import("node:http");
  const key = randomBytes(16).toString("base64");
  const target = new URL(url);
  target.protocol = isSecure ? "https:" : "http:";
  return new Promise((resolve, reject) => {
    const fail = (problem: string): void =>
      reject(new ChannelError("CHANNEL_REFUSED", `${url.origin} could not be reached: ${problem}`));
    if (signal.aborted) return fail("the channel was closed");
    const opening = request(target, {
      headers: {
        "User-Agent": "opentalon",
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key,
      },
    });
    const abort = (): unknown => opening.destroy(new Error("the channel was closed"));
    signal.addEventListener("abort", abort, { once: true });
    const cancelTimeout = clock.after(openTimeoutMs, () =>
      opening.destroy(new Error(`no answer within ${formatDuration(openTimeoutMs)}`)),
    );
    const settle = (): void => {
      cancelTimeout();
      signal.removeEventListener("abort", abort);
    };
    opening.on("upgrade", (answer: IncomingMessage, socket: Socket, head: Buffer) => {
      settle();
      if (answer.headers["sec-websocket-accept"] !== toAcceptKey(key)) {
        socket.destroy();
        return fail("it answers as if it were no WebSocket server");
      }
      resolve(runConnection(socket, head, options));
    });
    opening.on("response", (answer) => {
      answer.resume();
      opening.destroy();
      fail(`it answered with status ${answer.statusCode ?? 0} instead of opening a WebSocket`);
    });
    opening.on("error", (error) => {
      settle();
      fail(toMessage(error));
    });
    opening.on("close", settle);
    opening.end();
  });
}

/** What a server answers to a client's key, to show that it understood. */
export function toAcceptKey(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

function runConnection(
  socket: Socket,
  head: Buffer,
  { onText, maxMessageBytes, idleTimeoutMs, signal, clock }: WebSocketOptions,
): WebSocketConnection {
  const reader = createFrameReader(maxMessageBytes, false);
  const ended = Promise.withResolvers<string>();
  let reason = "the connection broke off";
  let isClosing = false;
  let heardAtMs = clock.now();
  let cancelTimer = (): void => undefined;

  const write = (opcode: number, data: Uint8Array): void => {
    if (socket.writable) socket.write(encodeFrame(opcode, data, true));
  };
  const close = (code: number, why: string): void => {
    if (isClosing) return;
    isClosing = true;
    reason = why;
    const data = Buffer.alloc(2);
    data.writeUInt16BE(code);
    write(opcodes.close, data);
    socket.end();
    socket.resume();
    cancelTimer();
    cancelTimer = clock.after(closeGraceMs, () => socket.destroy());
  };
  const watch = (): void => {
    cancelTimer = clock.after(idleTimeoutMs / 2, () => {
      if (clock.now() - heardAtMs >= idleTimeoutMs) {
        reason = `nothing was heard for ${formatDuration(idleTimeoutMs)}`;
        socket.destroy();
        return;
      }
      // A peer we keep waiting is not silent.
      if (socket.isPaused()) heardAtMs = clock.now();
      else write(opcodes.ping, Buffer.alloc(0));
      watch();
    });
  };
  const take = (chunk: Buffer): void => {
    heardAtMs = clock.now();
    try {
      for (const event of reader.push(chunk)) {
        if (event.kind === "text" && !isClosing) onText(event.text);
        else if (event.kind === "ping") write(opcodes.pong, event.data);
        else if (event.kind === "close") close(1000, `the other side closed it (${event.code})`);
      }
    } catch (error) {
      if (!(error instanceof WebSocketProtocolError)) throw error;
      close(error.code, error.message);
    }
  };
  const leave = (): void => close(1001, "the channel was closed");

  socket.setNoDelay(true);
  socket.on("end", () => socket.end());
  socket.on("error", (error) => {
    reason = isClosing ? reason : toMessage(error);
  });
  socket.on("close", () => {
    cancelTimer();
    signal.removeEventListener("abort", leave);
    ended.resolve(reason);
  });
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave, { once: true });
  watch();
  // Whoever waits for the connection holds it before the first text arrives.
  setImmediate(() => {
    if (head.length > 0) take(head);
    socket.on("data", take);
  });
  return {
    sendText: (text) => write(opcodes.text, Buffer.from(text.toWellFormed(), "utf8")),
    pause: () => {
      socket.pause();
    },
    resume: () => {
      socket.resume();
    },
    close: leave,
    closed: ended.promise,
  };
}
