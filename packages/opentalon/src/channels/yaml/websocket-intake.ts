import { createBackoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { parsePlainJson } from "../../base/plain-json.ts";
import type { ChannelDefinition, Connection } from "./definition.ts";
import { findField, toText } from "./field-path.ts";
import { renderJson, renderUrl } from "./render-request.ts";
import type { SessionValues } from "./session-values.ts";
import type { EventIntake } from "./take-event.ts";
import { openWebSocket, type WebSocketConnection } from "./websocket-client.ts";

/** A source of events that runs until it is stopped. */
export interface RunningIntake {
  /** Takes nothing more; resolves when the connection is gone. */
  readonly stop: () => Promise<void>;
}

export interface IntakeOptions {
  readonly definition: ChannelDefinition;
  readonly values: SessionValues;
  readonly intake: EventIntake;
  readonly clock: Clock;
  readonly log: Log;
}

const maxMessageBytes = 32 * 1024 * 1024;
const openTimeoutMs = 20_000;
/** While that many events are under way the platform waits. */
const maxUnderWay = 200;
/** A connection that stood so long was a good one: the next attempt comes soon. */
const stableAfterMs = 10_000;

/**
 * Keeps a connection to the platform. The first one is opened before this resolves.
 * @throws ChannelError when the first one cannot be opened.
 */
export async function startWebSocketIntake(
  connection: Connection,
  { definition, values, intake, clock, log }: IntakeOptions,
): Promise<RunningIntake> {
  const stopping = new AbortController();
  const { ack } = definition.inbound;
  const { backoffInitialMs, backoffMaxMs } = connection;
  const backoff = createBackoff({ initialMs: backoffInitialMs, maxMs: backoffMaxMs, jitter: 0.2 });
  let current: WebSocketConnection | undefined;

  const takeText = async (text: string, from: WebSocketConnection): Promise<void> => {
    let frame: unknown;
    try {
      frame = parsePlainJson(text);
    } catch {
      log.warn("a frame that is no JSON was left out");
      return;
    }
    const taking = intake.take(frame);
    if (intake.size() >= maxUnderWay) from.pause();
    const outcome = await taking;
    if (intake.size() < maxUnderWay) {
      from.resume();
      // One that was opened since may wait for room that events of this one took.
      current?.resume();
    }
    if (outcome.kind === "refused") {
      log.warn(
        { problem: outcome.reason },
        "an event was not acknowledged; the platform brings it again",
      );
      return;
    }
    if (ack === undefined || toText(findField(frame, ack.when)) === "") return;
    const lookup = (key: string): unknown => findField(frame, key);
    from.sendText(renderJson(ack.send, { ...values.scope, frame: lookup, event: lookup }));
  };

  const open = async (): Promise<WebSocketConnection> => {
    const { url } = renderUrl(connection.url, values.scope, "connection.url");
    const opened: WebSocketConnection = await openWebSocket({
      url,
      onText: (text) => {
        void takeText(text, opened);
      },
      maxMessageBytes,
      idleTimeoutMs: connection.idleTimeoutMs,
      openTimeoutMs,
      signal: stopping.signal,
      clock,
    });
    return opened;
  };

  const keep = async (first: WebSocketConnection): Promise<void> => {
    current = first;
    let openedAtMs = clock.now();
    for (;;) {
      const reason = await current.closed;
      if (stopping.signal.aborted) return;
      if (!connection.reconnects) {
        log.error(
          { problem: reason },
          "the connection ended, and the definition asks for no other one",
        );
        return;
      }
      if (clock.now() - openedAtMs >= stableAfterMs) backoff.reset();
      const next = await reopen(reason);
      if (next === undefined) return;
      current = next;
      openedAtMs = clock.now();
    }
  };

  /** `undefined` when the channel stops. */
  const reopen = async (reason: string): Promise<WebSocketConnection | undefined> => {
    let problem = reason;
    for (;;) {
      const waitMs = backoff.nextMs();
      log.info({ problem, waitMs }, "the connection to the platform is opened again");
      await clock.sleep(waitMs, stopping.signal);
      if (stopping.signal.aborted) return undefined;
      try {
        await values.runInit(connection.reInit, stopping.signal);
      } catch (error) {
        log.warn({ problem: toMessage(error) }, "preparing a new connection failed");
      }
      try {
        return await open();
      } catch (error) {
        problem = toMessage(error);
      }
      if (stopping.signal.aborted) return undefined;
    }
  };

  const running = keep(await open());
  return {
    stop: async () => {
      stopping.abort();
      await current?.closed;
      await running;
    },
  };
}
