import { createBackoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { MessageSocket } from "../../base/message-socket.ts";
import { dialSocket } from "./dial-socket.ts";

export interface KeepDiallingOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Uses a connection; resolves when it has ended. */
  readonly onOpen: (socket: MessageSocket) => Promise<void>;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
}

/** A connection that lasted this long was a good one: the next pause is a short one again. */
const goodMs = 5_000;

/** Dials until `signal` aborts, and again whenever the connection ends, with pauses from half a second to a minute. */
export function keepDialling(options: KeepDiallingOptions): void {
  const { url, headers, onOpen, signal, clock, log } = options;
  const backoff = createBackoff({ initialMs: 500, maxMs: 60_000, jitter: 0.3 });
  // Not the URL: it may carry a password.
  const { host } = url;

  const dialOnce = async (): Promise<void> => {
    const socket = await dialSocket({ url, headers, clock, signal });
    const openedAtMs = clock.now();
    log.info({ host }, "connected");
    socket.onClose(({ code, reason }) => {
      if (!signal.aborted) log.warn({ host, code, reason }, "the connection ended");
    });
    await onOpen(socket);
    if (clock.now() - openedAtMs >= goodMs) backoff.reset();
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await dialOnce();
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ host, problem: toMessage(error) }, "the other side cannot be reached");
      }
      if (!signal.aborted) await clock.sleep(backoff.nextMs(), signal);
    }
  };
  void run();
}
