import type { Clock } from "../../base/clock.ts";
import { type MessageSocket, toMessageSocket } from "../../base/message-socket.ts";
import { maxFrameBytes } from "./socket-inlet.ts";

export interface DialOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Gives up. */
  readonly signal: AbortSignal;
}

const handshakeTimeoutMs = 15_000;

/**
 * Opens a WebSocket. Redirects are not followed: they would take the token elsewhere.
 * @throws Error that says why there is none, without the address.
 */
export async function dialSocket(options: DialOptions): Promise<MessageSocket> {
  const { url, headers, clock, signal } = options;
  const { WebSocket } = await import("ws");
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const raw = new WebSocket(url, {
      headers,
      handshakeTimeout: handshakeTimeoutMs,
      followRedirects: false,
      maxPayload: maxFrameBytes,
      perMessageDeflate: false,
    });
    const giveUp = (): void => raw.terminate();
    signal.addEventListener("abort", giveUp, { once: true });
    raw.on("error", reject);
    raw.on("close", () => signal.removeEventListener("abort", giveUp));
    raw.on("open", () => resolve(toMessageSocket(raw, { clock })));
  });
}
