import type { Clock } from "../base/clock.ts";
import { ChannelError, ConfigError, toMessage } from "../base/errors.ts";
import type { HttpRoute } from "../base/http-route.ts";
import type { Log } from "../base/log.ts";
import { isSecret, type Secret } from "../base/secret.ts";
import type { SocketRoute } from "../base/socket-route.ts";
import type { ConsoleTerminal } from "../channels/console/console-channel.ts";
import { createChannel } from "../channels/create-channel.ts";
import { type ChannelAddress, parseChannelAddress } from "../channels/parse-channel-address.ts";
import { splitMessage } from "../channels/split-message.ts";
import { createChannelPrograms } from "../channels/process/channel-programs.ts";
import { isLoopbackHost, parseListenAddress } from "../base/listen-address.ts";
import type { ChannelTools } from "../channels/tools/channel-tools.ts";
import { createWebhookInlet } from "../channels/webhook-inlet.ts";
import { createSocketInlet } from "../channels/websocket/socket-inlet.ts";
import { createChatInlet } from "../channels/webchat/chat-inlet.ts";
import { type Config, type Environment, revealBlock } from "../config/load-config.ts";
import {
  type AcceptOutcome,
  type Channel,
  type ChannelCapabilities,
  plainCapabilities,
} from "../domain/channel.ts";
import type { InboundMessage, OutboundMessage } from "../domain/message.ts";
import type { Turn, TurnEvent } from "../domain/turn.ts";
import { type SendOutcome, toSendOutcome } from "../orchestrator/delivery.ts";
import type { KeyValueStore } from "../store/ports.ts";
import { type ChannelPlace, createBuiltChannels } from "./built-channels.ts";
import { findChannelProgram, suggestBundledChannel } from "./channel-program.ts";
import { createChannelPorts, type PortRoutes } from "./channel-ports.ts";
import { findTerminalOwner } from "./find-terminal-owner.ts";
import { toLimits } from "./plugin-entries.ts";

export type { PortRoutes } from "./channel-ports.ts";
export type Terminal = ConsoleTerminal;

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

export interface AssembleChannelsOptions {
  readonly config: Config;
  readonly environment: Environment;
  /** Folder of the definitions that come with the program. */
  readonly bundledChannels: string;
  /** Where channels keep what must survive a restart. */
  readonly keyValue: KeyValueStore;
  readonly terminal: Terminal;
  /** Is given the tools that channels bring along. */
  readonly tools: Pick<ChannelTools, "offer">;
  /** Called when the terminal ended that is the only channel, or that a person sits at. */
  readonly onFinished: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * All enabled channels. One that cannot be made is left out and named; the others run. One that has to be fetched and built
 * holds up the rest for seconds at most.
 * @throws ConfigError when none is left.
 */
export async function assembleChannels(options: AssembleChannelsOptions): Promise<Channels> {
  const {
    config,
    environment,
    bundledChannels,
    keyValue,
    terminal,
    tools,
    onFinished,
    clock,
    log,
  } = options;
  const { dataDir } = config.state;
  const programs = createChannelPrograms({ environment, dataDirectory: dataDir, clock, log });
  const { isTerminal } = terminal;
  const terminalOwner = findTerminalOwner(config, { isTerminal, bundledChannels });
  const built = createBuiltChannels({ config, environment, clock, log });
  const webhooks = createWebhookInlet();
  const sockets = createSocketInlet();
  const chats = createChatInlet();
  const problems = new Map<string, string>();
  const channels = new Map<string, Channel>();
  const enabled = Object.entries(config.channels).filter(([, channel]) => channel.enabled);
  const offered = new Map<
    string,
    { routes: readonly HttpRoute[]; sockets: readonly SocketRoute[] }
  >([
    ["webhook", { routes: webhooks.routes, sockets: [] }],
    ["websocket-inbound", { routes: [], sockets: [sockets.route] }],
    ["webchat", { routes: chats.routes, sockets: [chats.socketRoute] }],
  ]);
  const kinds = new Set<string>();
  const offers = new Map<string, () => void>();
  const offerTools = (
    channel: Channel,
    entry: ChannelEntry,
    kind: ChannelAddress["kind"],
  ): void => {
    const { name } = channel;
    const brought = channel.tools?.() ?? [];
    if (brought.length > 0 && !entry.network) {
      log.warn(
        { channel: name },
        "a channel without network has tools that need it; they are left out",
      );
      return;
    }
    // A definition says itself what it needs; a program gets what its entry gives it.
    tools.offer(name, brought, (variable) =>
      kind === "yaml" ? environment[variable] : toPlainText(entry.env[variable]),
    );
  };
  const ports = createChannelPorts(parseListenAddress(config.server.addr).port);

  const leaveOut = (name: string, error: unknown): void => {
    problems.set(name, toMessage(error));
    log.error({ channel: name, problem: toMessage(error) }, "a channel cannot run and is left out");
  };

  for (const [name, entry] of enabled) {
    if (entry.unsetVariables !== "") {
      problems.set(name, `it needs ${entry.unsetVariables} in the environment`);
      continue;
    }
    let kind: ChannelAddress["kind"] | undefined;
    const create = ({ address, folder, prepare }: ChannelPlace): Promise<Channel> => {
      ({ kind } = parseChannelAddress(address));
      return createChannel({
        name,
        address,
        folder,
        config: revealBlock(entry.config),
        door: {
          webhooks,
          sockets,
          chats,
          token: config.server.token,
          checksCallers: doorChecksCallers(config),
        },
        environment,
        memory: keyValue,
        terminal,
        programs,
        programSettings: {
          prepare,
          env: entry.env,
          limits: toLimits(config, entry.limits),
          sandbox: entry.sandbox,
          network: entry.network,
          token: entry.token,
          tls: entry.tls,
          ownsTerminal: name === terminalOwner,
        },
        clock,
        log: log.child({ channel: name }),
      });
    };
    const offer = (): void => {
      const channel = channels.get(name);
      if (channel !== undefined && kind !== undefined) offerTools(channel, entry, kind);
    };
    offers.set(name, offer);
    const meant = suggestBundledChannel(entry.plugin, bundledChannels);
    if (meant !== undefined) {
      const words = `there is no channel "${entry.plugin}" that comes along; did you mean "${meant}"?`;
      log.warn({ channel: name }, words);
    }
    try {
      const program = findChannelProgram(name, entry, bundledChannels);
      if (program.kind === "built") {
        channels.set(name, built.open(program.wanted, create, log.child({ channel: name })));
        continue;
      }
      // One after the other, so that of two that claim the same place the first has it.
      const channel = await create(program);
      ports.add(name, channel);
      channels.set(name, channel);
      kinds.add(parseChannelAddress(program.address).kind);
      offer();
    } catch (error) {
      leaveOut(name, error);
    }
  }
  for (const { channel, refusal } of await built.settle()) {
    try {
      if (refusal !== undefined) throw refusal;
      ports.add(channel.name, channel);
      offers.get(channel.name)?.();
    } catch (error) {
      leaveOut(channel.name, error);
      channels.delete(channel.name);
      await channel[Symbol.asyncDispose]();
    }
  }
  const dispose = async (): Promise<void> => {
    await Promise.allSettled(
      [...channels.values()].map((channel) => channel[Symbol.asyncDispose]()),
    );
    await Promise.all([programs[Symbol.asyncDispose](), built[Symbol.asyncDispose]()]);
  };
  if (channels.size === 0) {
    await dispose();
    throw noChannelError(problems);
  }

  const capabilitiesOf = (name: string): ChannelCapabilities =>
    channels.get(name)?.capabilities() ?? plainCapabilities;

  return {
    routes: [...[...kinds].flatMap((kind) => offered.get(kind)?.routes ?? []), ...ports.atDoor()],
    portRoutes: ports.elsewhere(),
    socketRoutes: [...kinds].flatMap((kind) => offered.get(kind)?.sockets ?? []),
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
              toolsChanged: offers.get(name) ?? (() => {}),
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
    [Symbol.asyncDispose]: dispose,
  };
}

type ChannelEntry = Config["channels"][string];

function toPlainText(value: string | Secret | undefined): string | undefined {
  return isSecret(value) ? value.reveal() : value;
}

/** A door on loopback lets in only this machine; another one asks for its token, or somebody in front of it checks. */
function doorChecksCallers({ server: { addr, token, allowPublic } }: Config): boolean {
  return token !== undefined || allowPublic || isLoopbackHost(parseListenAddress(addr).host);
}

function noChannelError(problems: ReadonlyMap<string, string>): ConfigError {
  const lines = [...problems].map(([name, problem]) => `  channels.${name}: ${problem}`);
  const text =
    lines.length === 0
      ? "no channel is enabled: nobody could say anything; enable one, for example `channels: {console: {enabled: true, plugin: console}}`"
      : `none of the enabled channels can run:\n${lines.join("\n")}`;
  return new ConfigError("CONFIG_INVALID", text);
}
