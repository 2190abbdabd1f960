import type { Clock } from "../../base/clock.ts";
import { formatDuration } from "../../base/duration.ts";
import { ChannelError, toMessage } from "../../base/errors.ts";

/** An open connection of ours to a WebSocket server. */
export interface WebSocketConnection {
  readonly sendText: (text: string) => void;
  /** Stops reading, so that the server waits. */
  readonly pause: () => void;
  readonly resume: () => void;
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
  /** Ends the connection, with a word of goodbye where there is one. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

const closeGraceMs = 1_000;

/**
 * Connects; resolves when the server has agreed.
 * @throws ChannelError CHANNEL_REFUSED without the address: it may hold a ticket.
 */
export async function openWebSocket(options: WebSocketOptions): Promise<WebSocketConnection> {
  const { url, onText, maxMessageBytes, idleTimeoutMs, openTimeoutMs, signal, clock } = options;
  const { WebSocket } = await import("ws");
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<string>();
  let reason = "";
  let heardAtMs = clock.now();
  let cancelTimer = (): void => undefined;
  const hear = (): void => {
    heardAtMs = clock.now();
  };

  const socket = new WebSocket(url, {
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
    headers: { "User-Agent": "opentalon" },
  });
  const giveUp = (why: string): void => {
    reason ||= why;
    socket.terminate();
  };
  const leave = (): void => {
    reason ||= "the channel was closed";
    if (socket.readyState === WebSocket.CONNECTING) return socket.terminate();
    socket.close(1001);
    cancelTimer();
    cancelTimer = clock.after(closeGraceMs, () => socket.terminate());
  };
  const watch = (): void => {
    cancelTimer = clock.after(idleTimeoutMs / 2, () => {
      // A peer we keep waiting is not silent.
      if (socket.isPaused) hear();
      if (clock.now() - heardAtMs >= idleTimeoutMs) {
        return giveUp(`nothing was heard for ${formatDuration(idleTimeoutMs)}`);
      }
      socket.ping();
      watch();
    });
  };

  cancelTimer = clock.after(openTimeoutMs, () =>
    giveUp(`no answer within ${formatDuration(openTimeoutMs)}`),
  );
  socket.on("upgrade", ({ socket: bytes }) => {
    // Every byte counts: a large message takes its time, and nothing else gets through meanwhile.
    bytes.on("data", hear);
  });
  socket.on("open", () => {
    cancelTimer();
    hear();
    watch();
    // Whoever waits for the connection holds it before the first text arrives.
    socket.pause();
    setImmediate(() => socket.resume());
    opened.resolve();
  });
  socket.on("message", (data, isBinary) => {
    if (!isBinary) onText((data as Buffer).toString("utf8"));
  });
  socket.on("error", (error) => {
    reason ||= toMessage(error);
  });
  socket.on("close", (code) => {
    cancelTimer();
    signal.removeEventListener("abort", leave);
    reason ||= `the other side closed it (${code})`;
    opened.reject(
      new ChannelError("CHANNEL_REFUSED", `${url.origin} could not be reached: ${reason}`),
    );
    closed.resolve(reason);
  });
  if (signal.aborted) leave();
  else signal.addEventListener("abort", leave, { once: true });

  await opened.promise;
  return {
    sendText: (text) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(text.toWellFormed());
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    closed: closed.promise,
  };
}
