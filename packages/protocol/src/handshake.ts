/** Where a tool plugin listens, as it says on the first line of its standard output. */
export interface Handshake {
  readonly network: "unix" | "tcp";
  /** Path of the socket, or `host:port`. */
  readonly address: string;
  /** `host:port` of the plugin's own web server, on a loopback address. */
  readonly httpAddress?: string | undefined;
}

/** Longest line taken for a handshake, in bytes. */
export const maxHandshakeBytes = 4_096;

/** The kernel's limit for the path of a socket, without its closing zero byte. */
export const maxSocketPathBytes = 107;

/**
 * Reads `1|unix|<path>` or `1|tcp|<host:port>`, with an optional fourth field for the plugin's web server.
 * @throws Error that says what is wrong with the line.
 */
export function parseHandshake(line: string): Handshake {
  const text = line.trim();
  if (text === "") throw new Error("the handshake line is empty");
  const [version = "", network, address, ...rest] = text.split("|");
  const httpAddress = rest.length === 0 ? undefined : rest.join("|").trim();
  if (network === undefined || address === undefined) {
    throw new Error(
      `the handshake line is not "1|unix|<path>" or "1|tcp|<host:port>": ${quote(text)}`,
    );
  }
  if (version !== "1") {
    throw new Error(`the handshake has version ${quote(version)}, only version 1 is understood`);
  }
  if (network !== "unix" && network !== "tcp") {
    throw new Error(
      `the handshake names the network ${quote(network)}, only unix and tcp are understood`,
    );
  }
  if (network === "unix") checkSocketPath(address);
  else if (parseHostAndPort(address) === undefined) {
    throw new Error(`the handshake address is not host:port: ${quote(address)}`);
  }
  if (httpAddress === undefined || httpAddress === "") return { network, address };
  const host = parseHostAndPort(httpAddress)?.host;
  if (host === undefined || !isLoopback(host)) {
    throw new Error(
      `the handshake's web address is not a loopback IP address and port: ${quote(httpAddress)}`,
    );
  }
  return { network, address, httpAddress };
}

/** The line a plugin prints, without its newline. */
export function formatHandshake({ network, address, httpAddress }: Handshake): string {
  const fields = ["1", network, address];
  if (httpAddress !== undefined) fields.push(httpAddress);
  return fields.join("|");
}

function checkSocketPath(path: string): void {
  if (path === "") throw new Error("the handshake names no socket");
  if (/\p{Cc}/u.test(path))
    throw new Error(`the handshake's socket path has control characters: ${quote(path)}`);
  const bytes = Buffer.byteLength(path);
  if (bytes > maxSocketPathBytes) {
    throw new Error(
      `the handshake's socket path has ${bytes} bytes, sockets allow ${maxSocketPathBytes}; use a shorter TMPDIR: ${quote(path)}`,
    );
  }
}

/** `host:port` taken apart; IPv6 addresses stand in brackets. `undefined` when it is not that. */
export function parseHostAndPort(
  text: string,
): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9_.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  return { host, port };
}

function isLoopback(host: string): boolean {
  const octets = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host);
  if (octets !== null) return octets.slice(1).every((octet) => Number(octet) <= 255);
  // The URL parser knows every way to write an IPv6 address and gives back the one canonical form.
  return host.includes(":") && URL.parse(`http://[${host}]`)?.hostname === "[::1]";
}

function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
