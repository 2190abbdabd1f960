import { ChannelError } from "../base/errors.ts";
import { parseRemoteAddress } from "../plugins/plugin-address.ts";

/** Where a channel lives and how it is spoken to, from the `plugin` key of its entry. */
export type ChannelAddress =
  /** The terminal of this process. */
  | { readonly kind: "console" }
  /** A program that is started. */
  | { readonly kind: "binary"; readonly path: string }
  /** A channel that runs elsewhere: `grpc://host:port`, or `grpcs://host:port` with TLS. */
  | { readonly kind: "grpc"; readonly url: string }
  | { readonly kind: "docker"; readonly image: string }
  | { readonly kind: "webhook"; readonly url: URL }
  /** We dial it. */
  | { readonly kind: "websocket"; readonly url: URL }
  /** It dials our HTTP door. */
  | { readonly kind: "websocket-inbound" }
  /** The page that comes with the program. */
  | { readonly kind: "webchat" }
  /** A channel described by a file. */
  | { readonly kind: "yaml"; readonly path: string };

/**
 * Upper and lower case of schemes, endings and of the words `console`, `webchat` and `inbound` do not matter; what fits nothing else is a program.
 * @throws ChannelError CHANNEL_MISCONFIGURED when a part is missing or a URL is not one.
 */
export function parseChannelAddress(plugin: string): ChannelAddress {
  const text = plugin.trim();
  if (text === "")
    throw misconfigured("a channel needs `plugin`: a program, a URL, `console` or `webchat`");
  const scheme = /^([a-z]+):\/\//i.exec(text)?.[1]?.toLowerCase();
  const rest = scheme === undefined ? "" : text.slice(scheme.length + 3);
  switch (scheme) {
    case "grpc":
    case "grpcs":
      return { kind: "grpc", url: toServerUrl(text, scheme) };
    case "docker":
      return { kind: "docker", image: required(rest, "docker://image") };
    case "http":
    case "https":
      return { kind: "webhook", url: parseUrl(text, scheme) };
    case "ws":
    case "wss":
      // No address but a word: a host of that name can be written with a dot behind it.
      if (/^inbound\/?$/i.test(rest)) return { kind: "websocket-inbound" };
      return { kind: "websocket", url: parseUrl(text, scheme) };
    default:
      return parseLocal(text);
  }
}

function parseLocal(text: string): ChannelAddress {
  if (text.toLowerCase() === "console") return { kind: "console" };
  if (text.toLowerCase() === "webchat") return { kind: "webchat" };
  return { kind: /\.ya?ml$/i.test(text) ? "yaml" : "binary", path: text };
}

function required(rest: string, form: string): string {
  if (rest === "") throw misconfigured(`write the channel's plugin as ${form}`);
  return rest;
}

function toServerUrl(text: string, scheme: string): string {
  try {
    parseRemoteAddress("", text);
    return text;
  } catch {
    throw misconfigured(`write the channel's plugin as ${scheme}://host:port`);
  }
}

/** The error does not repeat the URL: it may carry a password. */
function parseUrl(text: string, scheme: string): URL {
  const url = URL.parse(text);
  if (url === null) throw misconfigured(`the channel's ${scheme}:// address is not a valid URL`);
  return url;
}

function misconfigured(message: string): ChannelError {
  return new ChannelError("CHANNEL_MISCONFIGURED", message);
}
