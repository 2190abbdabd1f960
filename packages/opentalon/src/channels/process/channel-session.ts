import type { Clock } from "../../base/clock.ts";
import { createDeadline } from "../../base/deadline.ts";
import { formatDuration } from "../../base/duration.ts";
import { PluginError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ChannelTool, SentMessage } from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import { createCallsUnderWay } from "../../plugins/calls-under-way.ts";
import { explainLoss } from "../../plugins/open-endpoint.ts";
import { watchHealth } from "../../plugins/watch-health.ts";
import type { ChannelEndpoint, OpenChannelEndpoint } from "./channel-endpoint.ts";
import type { ReportedChannel, TakeMessage } from "./channel-wire.ts";
import { openWire } from "./open-wire.ts";

export interface ChannelSessionOptions {
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly openEndpoint: OpenChannelEndpoint;
  readonly maxMessageBytes: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** One life of a channel, from its start to its end. */
export interface ChannelSession {
  readonly reported: ReportedChannel;
  readonly tools: readonly ChannelTool[];
  /** See `ChannelWire.receive`; also rejects when the channel ended or hangs. */
  readonly receive: (take: TakeMessage) => Promise<void>;
  /** See `ChannelWire.send`. */
  readonly send: (message: OutboundMessage, deliveryId: string) => Promise<SentMessage>;
  /** Ends it and everything it holds. Never rejects. */
  readonly stop: () => Promise<void>;
}

/** Time between two questions whether it still answers. */
export const healthCheckIntervalMs = 30_000;

const sendTimeoutMs = 30_000;
const capabilitiesTimeoutMs = 5_000;
const configureTimeoutMs = 10_000;
const toolsTimeoutMs = 5_000;
/** What a process said before its end is still read; it must not take longer than this. */
const lastWordsMs = 2_000;

/**
 * Starts a channel and lets it introduce itself: capabilities, configuration, tools. It listens once it is received from.
 * @throws PluginError, or an error in words for the operator; nothing of the channel is left then.
 */
export async function openChannelSession(
  options: ChannelSessionOptions,
  signal: AbortSignal,
): Promise<ChannelSession> {
  const { name, config, openEndpoint, clock, log } = options;
  const endpoint = await openEndpoint(signal);
  const { gone } = endpoint;
  const end = async (reason: Error): Promise<void> => {
    wire?.close(reason);
    await endpoint.stop();
  };
  const step = async <T>(
    what: string,
    timeoutMs: number,
    task: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const problem = `the channel "${name}" did not ${what} within ${formatDuration(timeoutMs)}`;
    using deadline = createDeadline({
      clock,
      timeoutMs,
      signal: AbortSignal.any([signal, gone]),
      toError: () => new PluginError(name, "timed-out", problem),
    });
    return await task(deadline.signal);
  };

  let wire: Awaited<ReturnType<typeof openWire>> | undefined;
  try {
    const opened = await step("let itself be connected to", capabilitiesTimeoutMs, (limit) =>
      openWire({ ...options, ...endpoint, plugin: name, sendTimeoutMs, signal: limit }),
    );
    wire = opened;
    const reported = await step("introduce itself", capabilitiesTimeoutMs, opened.capabilities);
    const plain = JSON.parse(JSON.stringify(config)) as Readonly<Record<string, unknown>>;
    await step("take its configuration", configureTimeoutMs, (limit) =>
      opened.configure(plain, name, limit),
    );
    const tools = await step("tell its tools", toolsTimeoutMs, opened.tools).catch(
      (error: unknown) => {
        if (gone.aborted || signal.aborted) throw error;
        log.warn({ problem: toMessage(error) }, "a channel did not tell its tools");
        return [];
      },
    );
    const named = tools.map((tool) =>
      tool.plugin === "" ? { ...tool, plugin: reported.id } : tool,
    );
    return createSession({
      ...options,
      wire: opened,
      endpoint,
      reported,
      tools: named,
      end,
    });
  } catch (error) {
    const cause = signal.aborted ? error : await explainLoss(error, gone, clock);
    await end(new PluginError(name, "unavailable", `the channel "${name}" is given up`));
    throw toError(cause);
  }
}

interface OpenedSession extends ChannelSessionOptions {
  readonly wire: Awaited<ReturnType<typeof openWire>>;
  readonly endpoint: Pick<ChannelEndpoint, "gone" | "exitCode">;
  readonly reported: ReportedChannel;
  readonly tools: readonly ChannelTool[];
  readonly end: (reason: Error) => Promise<void>;
}

function createSession(opened: OpenedSession): ChannelSession {
  const { name, wire, reported, tools, clock, end, endpoint } = opened;
  const { gone } = endpoint;
  const calls = createCallsUnderWay(clock);
  const sick = new AbortController();
  const { check } = wire;
  const stopWatching =
    check === undefined
      ? () => {}
      : watchHealth({
          plugin: name,
          check,
          calls,
          intervalMs: healthCheckIntervalMs,
          clock,
          onSick: (error) => {
            sick.abort(error);
            wire.close(error);
          },
        });
  // Messages that wait for an answer of a process that has ended would wait for their deadline.
  const closeSoon = (): void => {
    clock.after(lastWordsMs, () => wire.close(gone.reason as Error));
  };
  if (gone.aborted) closeSoon();
  else gone.addEventListener("abort", closeSoon, { once: true });
  return {
    reported,
    tools,
    receive: async (take) => {
      try {
        await wire.receive(take);
        // On the older wire this is all that is seen of a process that was killed.
        if (!gone.aborted) await clock.sleep(endGraceMs, gone);
        if (gone.aborted && endpoint.exitCode?.() !== 0) throw toError(gone.reason);
      } catch (error) {
        throw toError(await explainLoss(error, gone, clock));
      } finally {
        stopWatching();
      }
    },
    send: (message, deliveryId) => calls.track(sendTimeoutMs, () => wire.send(message, deliveryId)),
    stop: async () => {
      stopWatching();
      gone.removeEventListener("abort", closeSoon);
      await end(new PluginError(name, "unavailable", `the channel "${name}" was stopped`));
    },
  };
}

const endGraceMs = 250;

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(toMessage(reason));
}
