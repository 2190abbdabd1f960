import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Channel } from "../../domain/channel.ts";
import { findRemoteRisk } from "../../plugins/remote-access.ts";
import type { ChannelAddress } from "../parse-channel-address.ts";
import type { OpenChannelEndpoint } from "./channel-endpoint.ts";
import type { ChannelPrograms, ProgramSettings } from "./channel-programs.ts";
import { launchChannel } from "./launch-channel.ts";
import { createProcessChannel } from "./process-channel.ts";
import { createRemoteEndpoint } from "./remote-endpoint.ts";

export interface ProgramChannelOptions {
  readonly name: string;
  readonly address: Extract<ChannelAddress, { readonly kind: "binary" | "grpc" | "docker" }>;
  readonly config: Readonly<Record<string, unknown>>;
  readonly settings: ProgramSettings;
  readonly programs: ChannelPrograms;
  readonly clock: Clock;
  readonly log: Log;
}

/** The channel at the other end of a program, a container or a connection, stopped. */
export function createProgramChannel(options: ProgramChannelOptions): Channel {
  const { name, address, config, settings, programs, clock, log } = options;
  const command = address.kind === "grpc" ? address.url : name;
  const risk = findRemoteRisk({ key: name, command, token: settings.token, tls: settings.tls });
  if (risk !== "") log.warn({ problem: risk }, "a channel is not reached as it should be");
  return createProcessChannel({
    name,
    kind: address.kind,
    config,
    openEndpoint: toOpenEndpoint(options),
    ownsTerminal: settings.ownsTerminal,
    maxMessageBytes: programs.maxMessageBytes,
    clock,
    log,
  });
}

function toOpenEndpoint(options: ProgramChannelOptions): OpenChannelEndpoint {
  const { name, address, config, settings, programs, clock, log } = options;
  switch (address.kind) {
    case "binary":
      return async (signal) => {
        await programs.tidy();
        const { ownsTerminal = false, env, limits, sandbox, network, prepare } = settings;
        const { command, folder: programFolder } = (await prepare?.(signal)) ?? {
          command: address.path,
        };
        return launchChannel(
          { name, command, programFolder, env, limits, sandbox, network, ownsTerminal, signal },
          { ...programs, clock, log },
        );
      };
    case "grpc":
      return createRemoteEndpoint({ name, url: address.url, ...settings });
    case "docker":
      return async (signal) => {
        await programs.tidy();
        const { openContainerEndpoint } = await import("./docker/open-container-endpoint.ts");
        return openContainerEndpoint(
          { name, image: address.image, config, settings, signal },
          { ...programs, clock, log },
        );
      };
  }
}
