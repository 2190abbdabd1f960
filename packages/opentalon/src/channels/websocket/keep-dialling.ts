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
  /** Told why there is no connection; with `undefined`, that there is one. */
  readonly onProblem: (problem: string | undefined) => void;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly log: Log;
}

/** A connection that lasted this long was a good one: the next pause is a short one again. */
const goodMs = 5_000;

/** Dials until `signal` aborts, and again whenever the connection ends, with pauses from half a second to a minute. */
export function keepDialling(options: KeepDiallingOptions): void {
  const { url, headers, onOpen, onProblem, signal, clock, log } = options;
  const backoff = createBackoff({ initialMs: 500, maxMs: 60_000, jitter: 0.3 });
  // Not the URL: it may carry a password.
  const { host } = url;

  const dialOnce = async (): Promise<void> => {
    const socket = await dialSocket({ url, headers, clock, signal });
    const openedAtMs = clock.now();
    log.info({ host }, "connected");
    onProblem(undefined);
    socket.onClose(({ code, reason }) => {
      if (!signal.aborted) log.warn({ host, code, reason }, "the connection ended");
    });
    await onOpen(socket);
    onProblem(`the connection to ${host} ended`);
    if (clock.now() - openedAtMs >= goodMs) backoff.reset();
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await dialOnce();
      } catch (error) {
        if (signal.aborted) return;
        const problem = toMessage(error);
        log.warn({ host, problem }, "the other side cannot be reached");
        onProblem(`${host} cannot be reached: ${problem}`);
      }
      if (!signal.aborted) await clock.sleep(backoff.nextMs(), signal);
    }
  };
  void run();
}
