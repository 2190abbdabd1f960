import { ChannelError, toMessage } from "../base/errors.ts";
import type { HttpRoute } from "../base/http-route.ts";
import type { SocketRoute } from "../base/socket-route.ts";
import { splitMessage } from "../channels/split-message.ts";
import {
  type AcceptOutcome,
  type ChannelCapabilities,
  plainCapabilities,
} from "../domain/channel.ts";
import type { InboundMessage, OutboundMessage } from "../domain/message.ts";
import type { Turn, TurnEvent } from "../domain/turn.ts";
import { type SendOutcome, toSendOutcome } from "../orchestrator/delivery.ts";
import type { PortRoutes } from "./channel-ports.ts";
import { makeChannels, type MakeChannelsOptions } from "./make-channels.ts";

export type { PortRoutes } from "./channel-ports.ts";
export type { Terminal } from "./make-channels.ts";

export interface Channels extends AsyncDisposable {
  readonly routes: readonly HttpRoute[];
  /** What channels offer at ports other than the door's. */
  readonly portRoutes: readonly PortRoutes[];
  readonly socketRoutes: readonly SocketRoute[];
  /** Channels that are configured and do not run, by name and with the reason. */
  readonly findUnready: () => readonly string[];
  readonly capabilitiesOf: (channel: string) => ChannelCapabilities;
  readonly start: (accept: (message: InboundMessage) => Promise<AcceptOutcome>) => Promise<void>;
  readonly stopIntake: () => Promise<void>;
  /** A reply as the messages its platform takes, in the format it shows. */
  readonly split: (message: OutboundMessage) => readonly OutboundMessage[];
  /** See `Channel.formatWords`. */
  readonly formatWords: (channel: string, words: string) => string;
  readonly send: (message: OutboundMessage, deliveryId: string) => Promise<SendOutcome>;
  /** See `Channel.knowsRepeats`. */
  readonly knowsRepeats: (channel: string) => boolean;
  readonly show: (turn: Turn, event: TurnEvent) => void;
}

export interface AssembleChannelsOptions extends MakeChannelsOptions {
  /** Called when the terminal ended that is the only channel, or that a person sits at. */
  readonly onFinished: () => void;
}

/**
 * All enabled channels as one; see `makeChannels`.
 * @throws ConfigError when none can run.
 */
export async function assembleChannels(options: AssembleChannelsOptions): Promise<Channels> {
  const { terminal, onFinished, log } = options;
  const made = await makeChannels(options);
  const { channels, problems } = made;
  const capabilitiesOf = (name: string): ChannelCapabilities =>
    channels.get(name)?.capabilities() ?? plainCapabilities;

  return {
    routes: made.routes,
    portRoutes: made.portRoutes,
    socketRoutes: made.socketRoutes,
    findUnready: () => {
      const troubled = [...channels].flatMap(([name, channel]) => {
        const problem = channel.findProblem?.();
        return problem === undefined ? [] : [[name, problem] as const];
      });
      const all = [...new Map([...problems, ...troubled])];
      return all.map(([name, problem]) =>
        problem.startsWith(`channel ${name}`) ? problem : `channel ${name}: ${problem}`,
      );
    },
    capabilitiesOf,
    start: async (accept) => {
      await Promise.all(
        [...channels].map(async ([name, channel]) => {
          try {
            await channel.start({
              accept: (message) => accept({ ...message, channel: name }),
              toolsChanged: () => made.offerTools(name),
              finished: () => {
                if (channels.size === 1 || terminal.isTerminal) onFinished();
              },
            });
          } catch (error) {
            problems.set(name, toMessage(error));
            const what =
              error instanceof ChannelError ? { problem: error.message } : { err: error };
            log.error({ channel: name, ...what }, "a channel could not start");
          }
        }),
      );
    },
    stopIntake: async () => {
      await Promise.all([...channels.values()].map((channel) => channel.stopIntake()));
    },
    split: (message) => {
      const channel = channels.get(message.channel);
      return (
        channel?.split?.(message) ??
        splitMessage(message, capabilitiesOf(message.channel).maxMessageLength)
      );
    },
    formatWords: (name, words) => channels.get(name)?.formatWords?.(words) ?? words,
    send: async (message, deliveryId) => {
      const channel = channels.get(message.channel);
      if (channel === undefined) {
        return {
          kind: "not-delivered",
          problem: `the channel "${message.channel}" is not configured`,
          retryAfterMs: undefined,
        };
      }
      try {
        const sent = await channel.send(message, deliveryId);
        return { kind: "delivered", messageIds: sent?.messageIds };
      } catch (error) {
        return toSendOutcome(error);
      }
    },
    knowsRepeats: (name) => channels.get(name)?.knowsRepeats === true,
    show: (turn, event) => channels.get(turn.message.channel)?.show?.(turn, event),
    [Symbol.asyncDispose]: made[Symbol.asyncDispose],
  };
}
