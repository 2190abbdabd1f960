import { BlockList, isIP } from "node:net";
import { ConfigError } from "./errors.ts";

export interface ListenAddress {
  /** Empty means every interface. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** `host:port`, `[v6]:port` or `:port` as an address to listen on. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new ConfigError(
      "CONFIG_INVALID",
      `"${text}" is not an address to listen on; write host:port, for example 127.0.0.1:3978`,
    );
  }
  return { host: match[1] ?? match[2] ?? "", port };
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether only programs on this machine reach `host`. Names other than `localhost` count as reachable. */
export function isLoopbackHost(host: string): boolean {
  const family = isIP(host);
  if (family === 0) return host.toLowerCase() === "localhost";
  return loopback.check(host, family === 4 ? "ipv4" : "ipv6");
}
