import type { Clock } from "../base/clock.ts";
import { ChannelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Channel } from "../domain/channel.ts";
import { type ConsoleTerminal, createConsoleChannel } from "./console/console-channel.ts";
import { parseChannelAddress } from "./parse-channel-address.ts";
import type { ChannelPrograms, ProgramSettings } from "./process/channel-programs.ts";
import { createProgramChannel } from "./process/create-program-channel.ts";
import { createWebhookChannel } from "./webhook-channel.ts";
import type { WebhookInlet } from "./webhook-inlet.ts";

export interface ChannelOptions {
  /** Instance name: the key under `channels:`. */
  readonly name: string;
  /** The entry's `plugin`, see `parseChannelAddress`. */
  readonly address: string;
  /** The entry's `config`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The terminal of the process, where it has one to give. */
  readonly terminal?: ConsoleTerminal | undefined;
  /** Where webhook channels are reached; absent when the HTTP door stays closed. */
  readonly webhooks?: WebhookAccess | undefined;
  /** What channels that are programs of their own need, where they may run. */
  readonly programs?: ChannelPrograms | undefined;
  readonly programSettings?: ProgramSettings | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface WebhookAccess {
  readonly inlet: WebhookInlet;
  /** Whether the HTTP door knows its callers by other means than a signature (see `HttpRequest.isTrusted`). */
  readonly doorChecksCallers: boolean;
}

/**
 * The channel one entry of the configuration asks for, stopped.
 * @throws ChannelError CHANNEL_UNSUPPORTED when there is no transport for its address, CHANNEL_MISCONFIGURED when its
 * settings do not fit.
 */
export function createChannel(options: ChannelOptions): Channel {
  const { name, config, terminal, webhooks, clock, log } = options;
  const address = parseChannelAddress(options.address);
  switch (address.kind) {
    case "console":
      if (terminal === undefined) {
        throw new ChannelError(
          "CHANNEL_UNSUPPORTED",
          `channel ${name} needs a terminal, and this process has none to give`,
        );
      }
      return createConsoleChannel({ name, terminal, config, clock, log });
    case "webhook":
      if (webhooks === undefined) {
        throw new ChannelError(
          "CHANNEL_MISCONFIGURED",
          `channel ${name} takes messages at the HTTP door, which is closed; set server.enabled`,
        );
      }
      return createWebhookChannel({ name, url: address.url, config, ...webhooks, clock, log });
    case "binary":
    case "grpc":
    case "docker":
      if (options.programs === undefined) {
        throw new ChannelError(
          "CHANNEL_UNSUPPORTED",
          `channel ${name} is a program of its own, and no programs can be run here`,
        );
      }
      return createProgramChannel({
        name,
        address,
        config,
        settings: options.programSettings ?? {},
        programs: options.programs,
        clock,
        log,
      });
    case "websocket":
    case "yaml":
      throw new ChannelError(
        "CHANNEL_UNSUPPORTED",
        `channel ${name} is of the kind "${address.kind}", which does not exist yet; ` +
          "today `plugin` may be `console`, a program, grpc://…, grpcs://…, docker://…, http://… or https://…",
      );
  }
}
