import { WebSocket } from "ws";
import type { Frame } from "./socket-peer.ts";

/** How a peer speaks: the words of a WebSocket channel, or those of the page of a web chat. */
export interface Dialect {
  /** Its first words on a connection. */
  readonly greet: () => Frame;
  /** Type of the frame that lets it talk. */
  readonly welcome: string;
  readonly toMessage: (id: string, content: string, more: Frame) => Frame;
  /** What a frame brings, with a name under which it may come again; `undefined` when it is no reply. */
  readonly readReply: (frame: Frame) => { readonly id: string; readonly reply: Frame } | undefined;
  /** Said once a reply is read. */
  readonly toAck?: (id: string) => Frame;
  /** What the welcome itself brings. */
  readonly readWelcome?: (frame: Frame) => readonly Frame[];
}

/**
 * The other side of a connection that loses nothing: what was not acknowledged it says again over the next connection, in
 * order, and a reply it has seen it does not count again.
 */
export interface SteadyPeer extends Disposable {
  /** Goes on over this connection. */
  readonly attach: (socket: WebSocket) => void;
  /** Says it; resolves when it is acknowledged or refused. */
  readonly say: (content: string, more?: Frame) => Promise<void>;
  /** The last one again, under its identity; resolves like `say`. */
  readonly sayAgain: () => Promise<void>;
  readonly replies: readonly Frame[];
  readonly refusals: readonly Frame[];
  /** Frames that are neither, of any connection. */
  readonly others: readonly Frame[];
  readonly socket: () => WebSocket | undefined;
  /** Close codes of the connections that ended. */
  readonly ends: readonly number[];
  /** Resolves when it may talk. */
  readonly welcomed: () => Promise<void>;
  /** Reads and acknowledges nothing more until the returned function is called. */
  readonly holdBack: () => () => void;
  /** Called when its connection has ended, with the close code. */
  readonly onEnd: (listener: (code: number) => void) => void;
}

export function createSteadyPeer(dialect: Dialect): SteadyPeer {
  const { greet, welcome, toMessage, readReply, toAck, readWelcome } = dialect;
  const unheard = new Map<string, { readonly frame: Frame; readonly heard: () => void }>();
  const seen = new Set<string>();
  const replies: Frame[] = [];
  const refusals: Frame[] = [];
  const others: Frame[] = [];
  const ends: number[] = [];
  let current: WebSocket | undefined;
  let isWelcome = false;
  let waiting = Promise.withResolvers<void>();
  let tellEnd = (_code: number): void => {};
  let last: { readonly id: string; readonly frame: Frame } | undefined;
  let count = 0;
  let isHolding = false;

  const wait = (): void => {
    if (isWelcome) waiting = Promise.withResolvers();
    isWelcome = false;
  };
  const send = (frame: Frame): void => current?.send(JSON.stringify(frame), () => {});
  const take = (frame: Frame): void => {
    const brought = readReply(frame);
    if (brought !== undefined) {
      if (!seen.has(brought.id)) replies.push(brought.reply);
      seen.add(brought.id);
      if (toAck !== undefined) send(toAck(brought.id));
      return;
    }
    if (frame["type"] === welcome) {
      for (const each of readWelcome?.(frame) ?? []) take(each);
      isWelcome = true;
      for (const { frame: said } of unheard.values()) send(said);
      waiting.resolve();
      return;
    }
    const id = String(frame["id"]);
    if (frame["type"] === "error") refusals.push(frame);
    else if (frame["type"] !== "ack") others.push(frame);
    if (frame["type"] === "error" || frame["type"] === "ack") {
      unheard.get(id)?.heard();
      unheard.delete(id);
    }
  };
  const bring = (id: string, frame: Frame): Promise<void> =>
    new Promise((heard) => {
      unheard.set(id, { frame, heard });
      if (isWelcome) send(frame);
    });

  return {
    attach: (socket) => {
      current = socket;
      wait();
      if (isHolding) socket.pause();
      socket.on("error", () => {});
      socket.on("message", (data) => take(JSON.parse((data as Buffer).toString()) as Frame));
      socket.on("close", (code) => {
        ends.push(code);
        if (current !== socket) return;
        wait();
        tellEnd(code);
      });
      const begin = (): void => send(greet());
      if (socket.readyState === WebSocket.OPEN) begin();
      else socket.once("open", begin);
    },
    say: (content, more = {}) => {
      const id = `message-${(count += 1)}`;
      last = { id, frame: toMessage(id, content, more) };
      return bring(id, last.frame);
    },
    sayAgain: () => (last === undefined ? Promise.resolve() : bring(last.id, last.frame)),
    replies,
    refusals,
    others,
    ends,
    socket: () => current,
    welcomed: () => waiting.promise,
    holdBack: () => {
      isHolding = true;
      current?.pause();
      return () => {
        isHolding = false;
        current?.resume();
      };
    },
    onEnd: (next) => {
      tellEnd = next;
    },
    [Symbol.dispose]: () => {
      tellEnd = () => {};
      current?.terminate();
    },
  };
}

/** Our side says that it leaves, or that it knows no such channel. */
const leaving = [1001, 4401];

/** Dials an address, and again when the connection breaks. The returned function dials at once. */
export function keepDialled(peer: SteadyPeer, url: string): () => void {
  const dial = (): void => peer.attach(openSocket(url));
  peer.onEnd((code) => {
    if (!leaving.includes(code)) setTimeout(dial, 20);
  });
  dial();
  return dial;
}

/** Says something over a connection of its own; resolves with the code of its end. */
export async function dialAndSay(
  url: string,
  frames: readonly (Frame | Buffer)[],
): Promise<number> {
  const socket = openSocket(url);
  socket.on("error", () => {});
  socket.on("open", () => {
    for (const frame of frames) sayRaw(socket, frame);
  });
  return new Promise((resolve) => {
    socket.on("close", resolve);
  });
}

function openSocket(url: string): WebSocket {
  return new WebSocket(url.replace(/^http/, "ws"), {
    headers: {},
    handshakeTimeout: 5_000,
    followRedirects: false,
    maxPayload: 64 * 1024 * 1024,
    perMessageDeflate: false,
  });
}

/** Bytes go as text, whatever they are. */
export function sayRaw(socket: WebSocket, frame: Frame | Buffer): void {
  const bytes = Buffer.isBuffer(frame) ? frame : Buffer.from(JSON.stringify(frame));
  socket.send(bytes, { binary: false }, () => {});
}
