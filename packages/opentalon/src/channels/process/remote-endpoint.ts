import type { Secret } from "../../base/secret.ts";
import { parseRemoteAddress } from "../../plugins/plugin-address.ts";
import type { PluginEntry } from "../../plugins/plugin-entry.ts";
import { readRemoteAccess } from "../../plugins/remote-access.ts";
import type { OpenChannelEndpoint } from "./channel-endpoint.ts";
import { healthCheckIntervalMs } from "./channel-session.ts";

export interface RemoteEndpointOptions {
  /** Name of the channel. */
  readonly name: string;
  /** `grpc://host:port` or `grpcs://host:port`. */
  readonly url: string;
  readonly token?: Secret | undefined;
  readonly tls?: PluginEntry["tls"];
}

/** A channel that somebody else runs. Its files are read for each connection, so that certificates can be renewed. */
export function createRemoteEndpoint(options: RemoteEndpointOptions): OpenChannelEndpoint {
  const { name: key, url: command, token, tls } = options;
  return async () => {
    const address = parseRemoteAddress(key, command);
    const access = await readRemoteAccess({ key, command, token, tls, healthCheckIntervalMs });
    if (address === undefined) throw new Error(`${command} is not grpc://host:port`);
    const gone = new AbortController();
    return { address, access, gone: gone.signal, stop: async () => {} };
  };
}
