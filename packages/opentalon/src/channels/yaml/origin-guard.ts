import { isIP } from "node:net";
import { ChannelError } from "../../base/errors.ts";
import type { ChannelDefinition } from "./definition.ts";
import { type RenderedRequest, renderUrl } from "./render-request.ts";
import { renderText, type Scope } from "./template.ts";

/** Decides whether a request may go where data of a message sends it: its headers may carry the operator's secrets. */
export interface OriginGuard {
  /** @throws ChannelError CHANNEL_REFUSED */
  readonly check: (request: RenderedRequest) => void;
  readonly allows: (url: URL) => boolean;
}

/**
 * Known are the hosts of all addresses the definition spells out, those below them (https only), and `allowed_hosts`.
 * Where a platform proves itself with a signed token, what it names may be any public https host.
 */
export function createOriginGuard(definition: ChannelDefinition, scope: Scope): OriginGuard {
  const origins = new Set<string>();
  for (const { url, place } of definition.requests) {
    try {
      const rendered = renderUrl(url, scope, place);
      if (!rendered.isOriginFromData) origins.add(rendered.url.origin);
    } catch {
      // An address that is only known later allows nothing.
    }
  }
  const named = definition.allowedHosts
    .map((host) => renderText(host, scope).trim().toLowerCase())
    .filter((host) => host !== "");
  const provesItself = definition.inbound.webhook?.jwt !== undefined;

  const allows = (url: URL): boolean => {
    if (url.username !== "" || url.password !== "") return false;
    if (origins.has(url.origin)) return true;
    const isPlainHttps = url.protocol === "https:" && url.port === "";
    if (named.some((host) => matchesName(url, host, isPlainHttps))) return true;
    if (!isPlainHttps || isIP(url.hostname.replaceAll(/[[\]]/g, "")) !== 0) return false;
    const isBelow = [...origins].some((origin) =>
      isHostBelow(url.hostname, URL.parse(origin)?.hostname ?? ""),
    );
    return isBelow || (provesItself && isPublicName(url.hostname));
  };

  return {
    allows,
    check: ({ url, place, isOriginFromData }) => {
      if (!isOriginFromData || allows(url)) return;
      throw new ChannelError(
        "CHANNEL_REFUSED",
        `${place}: a message would send this request to ${url.origin}, which the definition does not name; ` +
          "add the host to `allowed_hosts` if it is right",
      );
    },
  };
}

/** `host`, `*.domain`, or a whole origin such as `http://127.0.0.1:8081`. */
function matchesName(url: URL, name: string, isPlainHttps: boolean): boolean {
  if (name.includes("://")) return URL.parse(name)?.origin === url.origin;
  if (!isPlainHttps) return false;
  return name.startsWith("*.") ? isHostBelow(url.hostname, name.slice(2)) : url.hostname === name;
}

function isHostBelow(host: string, domain: string): boolean {
  return domain.includes(".") && isIP(domain) === 0 && host.endsWith(`.${domain}`);
}

function isPublicName(host: string): boolean {
  return (
    host.includes(".") &&
    !/\.(?:local|localhost|internal|intranet|lan|home|corp|test|invalid|arpa)\.?$/i.test(host)
  );
}
