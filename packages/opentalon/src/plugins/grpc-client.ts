import type { ChannelCredentials, ClientOptions, Interceptor } from "@grpc/grpc-js";
import { Client, connectivityState, credentials, InterceptingCall } from "@grpc/grpc-js";
import { parseHostAndPort } from "@opentalon/protocol";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import { PluginError, toMessage } from "../base/errors.ts";
import type { PluginAddress } from "./plugin-address.ts";
import type { RemoteAccess, RemoteTls } from "./remote-access.ts";

export interface GrpcClientOptions {
  /** Key of the entry, for messages. */
  readonly plugin: string;
  readonly address: PluginAddress;
  /** Longest message taken from the plugin, in bytes. */
  readonly maxMessageBytes: number;
  /** For one that runs elsewhere. */
  readonly access?: RemoteAccess | undefined;
  /** Stands around every call. */
  readonly interceptor?: Interceptor | undefined;
}

/**
 * A client for whatever service the plugin has.
 * @throws PluginError when its certificates are none.
 */
export function createGrpcClient(options: GrpcClientOptions): Client {
  const { plugin, address, maxMessageBytes, access, interceptor } = options;
  const token = access?.token ?? "";
  const interceptors = [
    ...(token === "" ? [] : [addToken(token)]),
    ...(interceptor === undefined ? [] : [interceptor]),
  ];
  const target = address.network === "unix" ? `unix:${address.address}` : address.address;
  const tls = access?.tls;
  const name = tls?.serverName ?? parseHostAndPort(address.address)?.host ?? "";
  return new Client(
    target,
    tls === undefined ? credentials.createInsecure() : toCredentials(plugin, tls, name),
    {
      ...toChannelOptions(maxMessageBytes),
      ...(access === undefined ? {} : toRemoteOptions(address, access)),
      ...(interceptors.length === 0 ? {} : { interceptors }),
      ...(tls === undefined
        ? {}
        : { "grpc.ssl_target_name_override": isIP(name) === 0 ? name : nameOfNobody }),
    },
  );
}

/** What a server is told instead of an IP address, which must not be sent as its name. */
const nameOfNobody = "plugin.invalid";

/** `name` is what has to stand in the server's certificate. */
function toCredentials(plugin: string, tls: RemoteTls, name: string): ChannelCredentials {
  const { ca = null, cert = null, key = null } = tls;
  try {
    return credentials.createSsl(ca, key, cert, {
      checkServerIdentity: (_told, shown) => checkServerIdentity(name, shown),
    });
  } catch (error) {
    const problem = `a file of its tls settings is of no use: ${toMessage(error)}`;
    throw new PluginError(
      plugin,
      "unavailable",
      `the plugin "${plugin}" cannot be reached: ${problem}`,
    );
  }
}

function toRemoteOptions(
  { address }: PluginAddress,
  { tls, keepAliveMs }: RemoteAccess,
): ClientOptions {
  return {
    "grpc.default_authority": tls?.serverName ?? address,
    "grpc.keepalive_time_ms": keepAliveMs,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 0,
  };
}

function addToken(token: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        metadata.set("authorization", `Bearer ${token}`);
        next(metadata, listener);
      },
    });
}

/** How our clients treat a connection to a plugin. */
function toChannelOptions(maxMessageBytes: number): ClientOptions {
  return {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": -1,
    "grpc.default_authority": "localhost",
    // A proxy of the host's environment is not meant for plugins.
    "grpc.enable_http_proxy": 0,
    // Otherwise clients of different processes at one address would share a connection and its back-off.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 5_000,
    "grpc.client_idle_timeout_ms": 2 ** 31 - 1,
  };
}

/** Tells, until the client is closed, each time a connection that stood was lost. */
export function watchConnection(client: Client, onLost: () => void): void {
  const channel = client.getChannel();
  let stood = false;
  const watch = (): void => {
    const state = channel.getConnectivityState(false);
    if (state === connectivityState.SHUTDOWN) return;
    const isLost = stood && state !== connectivityState.READY;
    stood = state === connectivityState.READY;
    channel.watchConnectivityState(state, Infinity, (error) => {
      if (error === undefined) watch();
    });
    // Last, because it may close the client.
    if (isLost) onLost();
  };
  watch();
}
