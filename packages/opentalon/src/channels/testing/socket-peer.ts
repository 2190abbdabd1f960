import { vi } from "vitest";

export type Frame = Readonly<Record<string, unknown>>;

/** The other side of a WebSocket channel, of any WebSocket client. */
export interface SocketPeer extends Disposable {
  readonly frames: readonly Frame[];
  readonly ofType: (type: string) => readonly Frame[];
  readonly send: (frame: Frame | string) => void;
  readonly sendBytes: (bytes: Uint8Array<ArrayBuffer>) => void;
  /** Called for each frame as it arrives, after it was recorded. */
  readonly onFrame: (listener: (frame: Frame) => void) => void;
  /** Close code, once it has ended. */
  readonly ended: Promise<number>;
  readonly close: () => void;
}

/** Dials a door with what every language brings; resolves when the connection stands. */
export async function dialAsPeer(url: string): Promise<SocketPeer> {
  const socket = new WebSocket(url.replace(/^http/, "ws"));
  const frames: Frame[] = [];
  const listeners: ((frame: Frame) => void)[] = [];
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(String(data)) as Frame;
    frames.push(frame);
    for (const listener of listeners) listener(frame);
  });
  const ended = new Promise<number>((resolve) => {
    socket.addEventListener("close", ({ code }) => resolve(code));
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", () => reject(new Error("no connection")));
  });
  return {
    frames,
    ofType: (type) => frames.filter((frame) => frame["type"] === type),
    send: (frame) => socket.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    sendBytes: (bytes) => socket.send(bytes),
    onFrame: (listener) => void listeners.push(listener),
    ended,
    close: () => socket.close(),
    [Symbol.dispose]: () => socket.close(),
  };
}

/** Waits for so many frames of a type. */
export async function waitForFrames(
  peer: SocketPeer,
  type: string,
  count = 1,
): Promise<readonly Frame[]> {
  await vi.waitFor(() => {
    if (peer.ofType(type).length < count) throw new Error(`no ${type} yet`);
  }, 10_000);
  return peer.ofType(type);
}
