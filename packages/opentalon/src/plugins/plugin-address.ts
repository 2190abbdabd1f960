import type { Socket } from "node:net";
import { connect } from "node:net";
import type { Handshake } from "@opentalon/protocol";
import { parseHostAndPort } from "@opentalon/protocol";
import type { Clock } from "../base/clock.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import { toAbortError, untilAborted } from "./deadline.ts";

/** Where a plugin listens. */
export type PluginAddress = Handshake;

/** Where a plugin that is not ours to start listens. */
export interface RemoteAddress extends PluginAddress {
  readonly host: string;
  readonly isEncrypted: boolean;
}

const remoteAddress = /^(grpcs?):\/\/(.*?)\/?$/i;

/** Whether an entry names a running server, well or badly. */
export function isRemoteCommand(command: string | readonly string[]): boolean {
  return remoteAddress.test((typeof command === "string" ? command : command[0]) ?? "");
}

/**
 * The address of an entry that names a running server, `grpc://host:port` or `grpcs://host:port`; `undefined` for
 * programs.
 * @throws PluginError when it is not a good one.
 */
export function parseRemoteAddress(
  plugin: string,
  command: string | readonly string[],
): RemoteAddress | undefined {
  const [program = "", ...rest] = typeof command === "string" ? [command] : command;
  const match = remoteAddress.exec(program);
  if (match === null) return undefined;
  const [, scheme = "", address = ""] = match;
  const parsed = parseHostAndPort(address);
  if (parsed === undefined || rest.length > 0) {
    throw new PluginError(
      plugin,
      "unavailable",
      `the plugin "${plugin}" has an address that is not ${scheme.toLowerCase()}://host:port`,
    );
  }
  const isEncrypted = scheme.toLowerCase() === "grpcs";
  return { network: "tcp", address, host: parsed.host, isEncrypted };
}

/** One connection attempt. The socket has an error handler already; failures later show as its end. */
export function connectSocket({ network, address }: PluginAddress): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const target = network === "unix" ? { path: address } : parseHostAndPort(address);
    if (target === undefined) return reject(new Error(`not host:port: ${address}`));
    const socket = connect(target);
    socket.once("connect", () => resolve(socket));
    socket.on("error", reject);
  });
}

const retryMs = 50;
/** Nobody listens yet, nobody has made the socket yet, too many others connect just now: nothing was sent. */
const passingCodes: readonly (string | undefined)[] = ["ECONNREFUSED", "ENOENT", "EAGAIN"];

/**
 * Connects, trying again until `signal` aborts: a plugin may say where it listens a moment before it does, and one that is
 * busy lets callers wait.
 */
export async function connectPatiently(
  plugin: string,
  address: PluginAddress,
  clock: Clock,
  signal: AbortSignal,
): Promise<Socket> {
  for (;;) {
    if (signal.aborted) throw toAbortError(plugin, signal);
    const attempt = connectSocket(address);
    try {
      return await untilAborted(plugin, signal, attempt);
    } catch (error) {
      attempt.then(
        (socket) => socket.destroy(),
        () => {},
      );
      const { code } = error as NodeJS.ErrnoException;
      if (!passingCodes.includes(code)) {
        if (error instanceof PluginError) throw error;
        throw new PluginError(
          plugin,
          "unavailable",
          `the plugin "${plugin}" cannot be reached: ${toMessage(error)}`,
        );
      }
    }
    await clock.sleep(retryMs, signal);
  }
}
