import type { Clock } from "./clock.ts";

/** Why a connection ended. */
export interface SocketEnd {
  /** Close code; 1006 when it broke off. */
  readonly code: number;
  readonly reason: string;
}

/** An open connection on which whole texts travel both ways: a WebSocket, as parts see it that do not know the library. */
export interface MessageSocket {
  /**
   * Sends one text; resolves when the system has taken all of it.
   * @throws Error when the connection ended before.
   */
  readonly send: (text: string) => Promise<void>;
  /** Bytes that were sent and that the system has not taken yet. */
  readonly bufferedBytes: () => number;
  readonly isOpen: () => boolean;
  /** One listener; a new one takes the place of the last. Texts that come while there is none wait, unread. */
  readonly onMessage: (listener: (text: string) => void) => void;
  /** Called once, also when the connection has ended already. */
  readonly onClose: (listener: (end: SocketEnd) => void) => void;
  /** Reads nothing more until `resume`, so that the other side has to wait. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** Ends it in good order; what the other side does not finish soon is cut. */
  readonly close: (code: number, reason: string) => void;
}

/** What is used of a socket of the library. */
export interface RawWebSocket {
  readonly readyState: number;
  readonly bufferedAmount: number;
  readonly send: (text: string, done: (error?: Error | null) => void) => void;
  readonly ping: () => void;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly close: (code: number, reason: string) => void;
  readonly terminate: () => void;
  readonly on: {
    (event: "pong", listener: () => void): unknown;
    (event: "error", listener: (error: Error) => void): unknown;
    (event: "message", listener: (data: Buffer, isBinary: boolean) => void): unknown;
    (event: "close", listener: (code: number, reason: Buffer) => void): unknown;
  };
}

export interface MessageSocketOptions {
  readonly clock: Clock;
  /** A side that shows no sign of life for two of these counts as gone. */
  readonly pingIntervalMs?: number;
}

/** Longest reason of a close, in bytes, by the protocol. */
const maxReasonBytes = 123;
const isOpenState = 1;
/** How long the other side may take to read what is left and answer a close. */
export const closeTimeoutMs = 2_000;

/** An open socket of the library as a `MessageSocket`: with a heartbeat, and closed when binary data comes. */
export function toMessageSocket(raw: RawWebSocket, options: MessageSocketOptions): MessageSocket {
  const { clock, pingIntervalMs = 25_000 } = options;
  let listener: ((text: string) => void) | undefined;
  let isPaused = false;
  let isDeaf = false;
  let end: SocketEnd | undefined;
  let isAlive = true;
  let cancelPing = (): void => {};
  const closeListeners: ((end: SocketEnd) => void)[] = [];
  const early: string[] = [];

  const cutSoon = (): void => {
    const cancel = clock.after(closeTimeoutMs, () => raw.terminate());
    raw.on("close", cancel);
  };
  const close = (code: number, reason: string): void => {
    if (raw.readyState !== isOpenState) return;
    raw.close(code, cutReason(reason));
    cutSoon();
    if (!isPaused) return;
    // Its goodbye stands behind what was left unread, which nobody will read any more.
    isDeaf = true;
    raw.resume();
  };
  /** What had been read already when reading stopped waits in `early`: what one read of the system brings, no more. */
  const steer = (): void => {
    while (!isPaused && listener !== undefined) {
      const text = early.shift();
      if (text === undefined) break;
      listener(text);
    }
    if (!isDeaf && (isPaused || listener === undefined)) raw.pause();
    else raw.resume();
  };
  const beat = (): void => {
    cancelPing = clock.after(pingIntervalMs, () => {
      // Nothing is heard of a side that is not read.
      if (!isAlive && !isPaused) {
        raw.terminate();
        return;
      }
      isAlive = false;
      if (raw.readyState === isOpenState) raw.ping();
      beat();
    });
  };

  raw.on("pong", () => {
    isAlive = true;
  });
  raw.on("message", (data, isBinary) => {
    isAlive = true;
    if (isDeaf) return;
    if (isBinary) {
      close(1003, "send JSON as text");
      return;
    }
    const text = data.toString("utf8");
    if (isPaused || listener === undefined) early.push(text);
    else listener(text);
  });
  // What is wrong tells the close that follows.
  raw.on("error", cutSoon);
  raw.on("close", (code, reason) => {
    cancelPing();
    end = { code, reason: reason.toString("utf8") };
    for (const tell of closeListeners.splice(0)) tell(end);
  });
  steer();
  beat();

  return {
    send: (text) =>
      new Promise((resolve, reject) => {
        raw.send(text, (error) => {
          if (error === undefined || error === null) resolve();
          else reject(error);
        });
      }),
    bufferedBytes: () => raw.bufferedAmount,
    isOpen: () => raw.readyState === isOpenState,
    onMessage: (next) => {
      listener = next;
      steer();
    },
    onClose: (tell) => {
      if (end === undefined) closeListeners.push(tell);
      else tell(end);
    },
    pause: () => {
      isPaused = true;
      steer();
    },
    resume: () => {
      isPaused = false;
      steer();
    },
    close,
  };
}

function cutReason(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > maxReasonBytes) text = text.slice(0, -1);
  return text;
}
