import type { IncomingHttpHeaders } from "node:http";
import { isEqualText } from "../base/equal-text.ts";
import type { Secret } from "../base/secret.ts";
import { isLoopbackHost } from "../base/listen-address.ts";

export interface TrustOptions {
  /** Callers prove themselves with `Authorization: Bearer <token>`. */
  readonly token: Secret | undefined;
  /** Whether only this machine reaches the door. */
  readonly isLoopback: boolean;
  /** The operator said that somebody in front of the door checks callers. */
  readonly allowPublic: boolean;
}

/** Makes the decision whom the door knows, see `HttpRequest.isTrusted`. */
export function createTrustCaller(
  options: TrustOptions,
): (headers: IncomingHttpHeaders) => boolean {
  const { token, isLoopback, allowPublic } = options;
  if (token !== undefined) {
    return ({ authorization }) => {
      const given = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
      return given !== undefined && isEqualText(given, token.reveal());
    };
  }
  if (allowPublic) return () => true;
  if (!isLoopback) return () => false;
  // A page in a browser on this machine reaches the door too: it shows by the name it used or by its origin.
  return ({ host, origin }) =>
    isLoopbackHost(toHostName(host ?? "")) && (origin === undefined || isLocalOrigin(origin));
}

function toHostName(host: string): string {
  return host.replace(/:\d*$/, "").replace(/^\[(.*)\]$/, "$1");
}

function isLocalOrigin(origin: string): boolean {
  const host = /^https?:\/\/([^/]+)$/.exec(origin)?.[1];
  return host !== undefined && isLoopbackHost(toHostName(host));
}
