import type { Clock } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Channel } from "../domain/channel.ts";
import type { ConsoleTerminal } from "./console/console-channel.ts";
import { parseChannelAddress } from "./parse-channel-address.ts";
import type { ChannelPrograms, ProgramSettings } from "./process/channel-programs.ts";
import type { Secret } from "../base/secret.ts";
import type { ChatInlet } from "./webchat/chat-inlet.ts";
import type { ChatMemory } from "./webchat/chat-memory.ts";
import type { WebhookInlet } from "./webhook-inlet.ts";
import type { ChannelMemory } from "./yaml/written-value.ts";
import type { SocketInlet } from "./websocket/socket-inlet.ts";

export interface ChannelOptions {
  /** Instance name: the key under `channels:`. */
  readonly name: string;
  /** The entry's `plugin`, see `parseChannelAddress`. */
  readonly address: string;
  /** The folder of a definition that was fetched, which may use nothing outside of it. */
  readonly folder?: string | undefined;
  /** The entry's `config`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The terminal of the process, where it has one to give. */
  readonly terminal?: ConsoleTerminal | undefined;
  /** Where channels are reached; absent when the HTTP door stays closed. */
  readonly door?: DoorAccess | undefined;
  /** Of this program; a channel sees only the names its definition asks for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What a channel keeps over restarts. */
  readonly memory: ChatMemory;
  /** What channels that are programs of their own need, where they may run. */
  readonly programs?: ChannelPrograms | undefined;
  readonly programSettings?: ProgramSettings | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What channels need of the HTTP door. */
export interface DoorAccess {
  readonly webhooks: WebhookInlet;
  readonly sockets: SocketInlet;
  readonly chats: ChatInlet;
  /** The door's own token. */
  readonly token: Secret | undefined;
  /** Whether the door knows its callers by other means than what a channel asks for (see `HttpRequest.isTrusted`). */
  readonly checksCallers: boolean;
}

/**
 * The channel one entry of the configuration asks for, stopped. What a kind of channel is made of is loaded with the first one.
 * @throws ChannelError CHANNEL_UNSUPPORTED when there is no transport for its address, CHANNEL_MISCONFIGURED when its
 * settings do not fit.
 */
export async function createChannel(options: ChannelOptions): Promise<Channel> {
  const { name, config, terminal, environment, memory, clock, log } = options;
  const address = parseChannelAddress(options.address);
  switch (address.kind) {
    case "console": {
      if (terminal === undefined) {
        throw new ChannelError(
          "CHANNEL_UNSUPPORTED",
          `channel ${name} needs a terminal, and this process has none to give`,
        );
      }
      const { createConsoleChannel } = await import("./console/console-channel.ts");
      return createConsoleChannel({ name, terminal, config, clock, log });
    }
    case "webhook": {
      const { webhooks: inlet, checksCallers: doorChecksCallers } = requireDoor(options);
      const { url } = address;
      const { createWebhookChannel } = await import("./webhook-channel.ts");
      return formatted(
        createWebhookChannel({ name, url, config, inlet, doorChecksCallers, clock, log }),
      );
    }
    case "websocket":
    case "websocket-inbound": {
      const { sockets: inlet, checksCallers: doorChecksCallers } = requireDoor(options);
      const url = address.kind === "websocket" ? address.url : undefined;
      const { createWebSocketChannel } = await import("./websocket/websocket-channel.ts");
      return formatted(
        createWebSocketChannel({ name, url, config, inlet, doorChecksCallers, clock, log }),
      );
    }
    case "webchat": {
      const { chats: inlet, checksCallers: doorChecksCallers, token } = requireDoor(options);
      const door = { inlet, doorChecksCallers, doorToken: token };
      const { createWebChatChannel } = await import("./webchat/webchat-channel.ts");
      return createWebChatChannel({ name, config, ...door, memory, clock, log });
    }
    case "binary":
    case "grpc":
    case "docker": {
      if (options.programs === undefined) {
        throw new ChannelError(
          "CHANNEL_UNSUPPORTED",
          `channel ${name} is a program of its own, and no programs can be run here`,
        );
      }
      const { createProgramChannel } = await import("./process/create-program-channel.ts");
      const { withFormat } = await import("./format/with-format.ts");
      // Its format is known when it has said what it can do.
      return withFormat(
        createProgramChannel({
          name,
          address,
          config,
          settings: options.programSettings ?? {},
          programs: options.programs,
          clock,
          log,
        }),
      );
    }
    case "yaml": {
      const [{ loadDefinition }, { createYamlChannel }] = await Promise.all([
        import("./yaml/load-definition.ts"),
        import("./yaml/yaml-channel.ts"),
      ]);
      const { definition, warnings } = loadDefinition(address.path, options.folder);
      for (const warning of warnings) log.warn(warning);
      const isAtDoor = definition.inbound.webhook !== undefined;
      const doorChecksCallers = isAtDoor && requireDoor(options).checksCallers;
      return createYamlChannel({
        name,
        definition,
        config,
        environment,
        memory: toOwnMemory(name, memory),
        doorChecksCallers,
        clock,
        log,
      });
    }
  }
}

/** The parser is loaded for channels that have a format. */
async function formatted(channel: Channel): Promise<Channel> {
  if (channel.capabilities().responseFormat === "") return channel;
  const { withFormat } = await import("./format/with-format.ts");
  return withFormat(channel);
}

function toOwnMemory(channel: string, memory: ChatMemory): ChannelMemory {
  const namespace = `channel:${channel}`;
  return {
    get: (key) => memory.get(namespace, key),
    set: (key, value) => memory.set(namespace, key, value),
  };
}

function requireDoor({ name, door }: ChannelOptions): DoorAccess {
  if (door !== undefined) return door;
  throw new ChannelError(
    "CHANNEL_MISCONFIGURED",
    `channel ${name} takes messages at the HTTP door, which is closed; set server.enabled`,
  );
}
