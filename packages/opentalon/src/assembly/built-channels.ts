import type { Clock } from "../base/clock.ts";
import type { ChannelError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { createLateChannel, type LateChannel } from "../channels/late-channel.ts";
import type { Config, Environment } from "../config/load-config.ts";
import type { Channel } from "../domain/channel.ts";
import { findDefinition } from "../plugins/building/builder.ts";
import type { PreparedProgram } from "../plugins/plugin-entry.ts";
import type { WantedBuild } from "../plugins/sources/built-sources.ts";
import { createSourcePreparation } from "./prepare-sources.ts";

/** Where a channel is, as far as it takes to make it. */
export interface ChannelPlace {
  /** For `parseChannelAddress`. */
  readonly address: string;
  /** Of a definition that was fetched: its folder, which it may not leave. */
  readonly folder?: string | undefined;
  /** Of a program that was built: see `ProgramSettings`. */
  readonly prepare?: ((signal: AbortSignal) => Promise<PreparedProgram>) | undefined;
}

/** The channels that are built from sources. */
export interface BuiltChannels extends AsyncDisposable {
  /** Begins to fetch and build what is not there. */
  readonly open: (
    wanted: WantedBuild,
    create: (place: ChannelPlace) => Promise<Channel>,
    log: Log,
  ) => Channel;
  /** All that were opened, once it is known of each what it is, or that it takes longer than a start may wait. */
  readonly settle: () => Promise<
    readonly { readonly channel: Channel; readonly refusal: ChannelError | undefined }[]
  >;
}

export interface BuiltChannelsOptions {
  readonly config: Pick<Config, "state" | "pluginSettings">;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly log: Log;
}

/** To fetch a repository that answers takes less; a start waits no longer for one that does not. */
const settleLimitMs = 10_000;

export function createBuiltChannels(options: BuiltChannelsOptions): BuiltChannels {
  const { clock } = options;
  const preparation = createSourcePreparation({ purpose: "channel", ...options });
  const opened: LateChannel[] = [];
  return {
    open: (wanted, create, log) => {
      const channel = createLateChannel({
        name: wanted.name,
        prepare: (signal, onBuilding) => preparation.prepare(wanted, signal, onBuilding),
        create: ({ command, folder }) => {
          const address = findDefinition(command);
          if (address !== undefined) return create({ address, folder });
          // What is run is looked at before each start.
          const prepare: ChannelPlace["prepare"] = (signal) => preparation.prepare(wanted, signal);
          return create({ address: command[0] ?? "", prepare });
        },
        clock,
        log,
      });
      opened.push(channel);
      return channel;
    },
    settle: () =>
      Promise.all(
        opened.map(async (channel) => ({ channel, refusal: await channel.settle(settleLimitMs) })),
      ),
    [Symbol.asyncDispose]: preparation[Symbol.asyncDispose],
  };
}
