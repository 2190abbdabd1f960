import type { Clock } from "../base/clock.ts";
import { ConfigError, toMessage } from "../base/errors.ts";
import type { HttpRoute } from "../base/http-route.ts";
import { isLoopbackHost, parseListenAddress } from "../base/listen-address.ts";
import type { Log } from "../base/log.ts";
import { isSecret, type Secret } from "../base/secret.ts";
import type { SocketRoute } from "../base/socket-route.ts";
import type { ConsoleTerminal } from "../channels/console/console-channel.ts";
import { createChannel } from "../channels/create-channel.ts";
import { type ChannelAddress, parseChannelAddress } from "../channels/parse-channel-address.ts";
import { createChannelPrograms } from "../channels/process/channel-programs.ts";
import type { ChannelTools } from "../channels/tools/channel-tools.ts";
import { createChatInlet } from "../channels/webchat/chat-inlet.ts";
import { createWebhookInlet } from "../channels/webhook-inlet.ts";
import { createSocketInlet } from "../channels/websocket/socket-inlet.ts";
import { type Config, type Environment, revealBlock } from "../config/load-config.ts";
import type { Channel } from "../domain/channel.ts";
import type { KeyValueStore } from "../store/ports.ts";
import { type ChannelPlace, createBuiltChannels } from "./built-channels.ts";
import { createChannelPorts, type PortRoutes } from "./channel-ports.ts";
import { findChannelProgram, suggestBundledChannel } from "./channel-program.ts";
import { findTerminalOwner } from "./find-terminal-owner.ts";
import { toLimits } from "./plugin-entries.ts";

export type Terminal = ConsoleTerminal;

export interface MakeChannelsOptions {
  readonly config: Config;
  readonly environment: Environment;
  /** Folder of the definitions that come with the program. */
  readonly bundledChannels: string;
  /** Where channels keep what must survive a restart. */
  readonly keyValue: KeyValueStore;
  readonly terminal: Terminal;
  /** Is given the tools that channels bring along. */
  readonly tools: Pick<ChannelTools, "offer">;
  readonly clock: Clock;
  readonly log: Log;
}

/** Channels as they were made, not started. */
export interface MadeChannels extends AsyncDisposable {
  readonly channels: ReadonlyMap<string, Channel>;
  /** Why those do not run that could not be made, by name; more may be added. */
  readonly problems: Map<string, string>;
  readonly routes: readonly HttpRoute[];
  /** What channels offer at ports other than the door's. */
  readonly portRoutes: readonly PortRoutes[];
  readonly socketRoutes: readonly SocketRoute[];
  /** The tools of a channel are others than before. */
  readonly offerTools: (channel: string) => void;
}

/**
 * All enabled channels. One that cannot be made is left out and named. One that has to be fetched and built holds up the
 * rest for seconds at most.
 * @throws ConfigError when none is left.
 */
export async function makeChannels(options: MakeChannelsOptions): Promise<MadeChannels> {
  const { config, environment, bundledChannels, keyValue, terminal, tools, clock, log } = options;
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

  return {
    channels,
    problems,
    routes: [...[...kinds].flatMap((kind) => offered.get(kind)?.routes ?? []), ...ports.atDoor()],
    portRoutes: ports.elsewhere(),
    socketRoutes: [...kinds].flatMap((kind) => offered.get(kind)?.sockets ?? []),
    offerTools: (name) => offers.get(name)?.(),
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
