import { readFile } from "node:fs/promises";
import { PluginError, toMessage } from "../base/errors.ts";
import { isLoopbackHost } from "../base/listen-address.ts";
import { isRemoteCommand, parseRemoteAddress, type RemoteAddress } from "./plugin-address.ts";
import type { PluginEntry } from "./plugin-entry.ts";

/** How a plugin that runs elsewhere is reached. */
export interface RemoteAccess {
  /** `undefined` without TLS. */
  readonly tls: RemoteTls | undefined;
  /** Sent with every call; empty when there is none. */
  readonly token: string;
  /** Pause between two pings while calls are under way. */
  readonly keepAliveMs: number;
}

export interface RemoteTls {
  /** Contents of files in PEM. */
  readonly ca: Buffer | undefined;
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly serverName: string | undefined;
}

const pingMs = 30_000;
/**
 * Servers in Go end a connection that is pinged more often than every five minutes, unless they had something to say
 * in between, as they have when health is checked.
 */
const rarePingMs = 330_000;

/**
 * Reads what the entry of a remote plugin says about access, its files included; `undefined` for programs of ours.
 * @throws PluginError
 */
export async function readRemoteAccess(entry: PluginEntry): Promise<RemoteAccess | undefined> {
  const { key: plugin, command, token, tls, healthCheckIntervalMs = 0 } = entry;
  const address = parseRemoteAddress(plugin, command);
  if (address === undefined) return undefined;
  const isChecked = healthCheckIntervalMs > 0 && healthCheckIntervalMs <= 2 * pingMs;
  const shared = {
    token: toHeaderValue(plugin, token?.reveal() ?? ""),
    keepAliveMs: isChecked ? pingMs : rarePingMs,
  };
  if (!address.isEncrypted) return { ...shared, tls: undefined };
  const [ca, cert, key] = await Promise.all([
    readPem(plugin, "ca", tls?.ca),
    readPem(plugin, "cert", tls?.cert),
    readPem(plugin, "key", tls?.key),
  ]);
  if ((cert === undefined) !== (key === undefined)) {
    throw refuse(plugin, "tls.cert and tls.key belong together; one of them is missing");
  }
  const serverName = tls?.serverName === "" ? undefined : tls?.serverName;
  return { ...shared, tls: { ca, cert, key, serverName } };
}

/** What the operator should know about how the plugin is reached; empty when there is nothing. */
export function findRemoteRisk({ command, token, tls }: PluginEntry): string {
  const address = toAddress(command);
  if (address === undefined && isRemoteCommand(command)) return "";
  const isTlsSet = Object.values(tls ?? {}).some((value) => value !== undefined && value !== "");
  if (address === undefined) {
    if (token === undefined && !isTlsSet) return "";
    return "token and tls have no effect: they are for plugins at grpc:// and grpcs://";
  }
  if (address.isEncrypted) return "";
  if (isTlsSet) return "tls is set, and has no effect: only grpcs:// is encrypted";
  if (token === undefined || isLoopbackHost(address.host)) return "";
  return "its token crosses the network unencrypted, where others can read it; use grpcs://";
}

/** What is wrong with an address is told when it is used. */
function toAddress(command: PluginEntry["command"]): RemoteAddress | undefined {
  try {
    return parseRemoteAddress("", command);
  } catch {
    return undefined;
  }
}

async function readPem(
  plugin: string,
  name: string,
  path: string | undefined,
): Promise<Buffer | undefined> {
  if (path === undefined || path === "") return undefined;
  try {
    return await readFile(path);
  } catch (error) {
    throw refuse(plugin, `the file of tls.${name} cannot be read: ${toMessage(error)}`);
  }
}

/** The library's own complaint would quote the token. */
function toHeaderValue(plugin: string, token: string): string {
  if (/^[\x21-\x7e]*$/.test(token)) return token;
  throw refuse(plugin, "its token holds characters that cannot be sent");
}

function refuse(plugin: string, problem: string): PluginError {
  return new PluginError(
    plugin,
    "unavailable",
    `the plugin "${plugin}" cannot be reached: ${problem}`,
  );
}
