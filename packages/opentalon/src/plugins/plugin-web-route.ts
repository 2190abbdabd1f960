/**
 * Gets: requests below `/<key>/` from callers the HTTP door has let in. Gives: the answers of the plugin's own web server.
 * Never: shows the plugin what proved the caller to the door, or lets its pages act as pages of the door.
 */
import { type IncomingMessage, request as startRequest } from "node:http";
import { Readable } from "node:stream";
import { parseHostAndPort } from "@opentalon/protocol";
import { toMessage } from "../base/errors.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  type HttpRoute,
  toJsonAnswer,
} from "../base/http-route.ts";
import type { Log } from "../base/log.ts";

export interface PluginWebRouteOptions {
  /** Key below `plugins:`. */
  readonly key: string;
  /** `host:port` of the plugin's web server, a loopback address; `undefined` while it has none. */
  readonly findAddress: () => string | undefined;
  readonly maxBodyBytes: number;
  readonly log: Pick<Log, "debug">;
  /** How long the server may take to begin its answer, and to pause inside it. */
  readonly timeoutMs?: number | undefined;
}

/** Of one connection only (RFC 9110, 7.6.1); the length is told anew. */
const ofConnection = new Set(
  "connection,keep-alive,proxy-authenticate,proxy-authorization,proxy-connection,te,trailer,transfer-encoding,upgrade,content-length,expect".split(
    ",",
  ),
);

/** Browsers take these for all of the door, or for all of its machine, whoever said them. */
const ofOrigin = new Set([
  "accept-ch",
  "alt-svc",
  "clear-site-data",
  "nel",
  "report-to",
  "service-worker-allowed",
  "strict-transport-security",
]);

/** The door writes these itself; a second one beside it would win or spoil it. */
const ofDoor = new Set(["cache-control", "content-type", "x-content-type-options"]);

/** Pages of a plugin have no part in the origin of the door, which may trust what comes from it. */
const pagePolicy = "sandbox allow-scripts allow-forms allow-popups allow-downloads";

/** Passes everything below `/<key>/` on to a plugin, without that prefix. */
export function createPluginWebRoute(options: PluginWebRouteOptions): HttpRoute {
  const { key, maxBodyBytes } = options;
  const prefix = `/${encodeURIComponent(key)}`;
  return {
    method: "*",
    path: `${prefix}/*`,
    authentication: "door",
    maxBodyBytes,
    handle: (request) => pass(request, prefix, options),
  };
}

async function pass(
  request: HttpRequest,
  prefix: string,
  { key, findAddress, log, timeoutMs = 30_000 }: PluginWebRouteOptions,
): Promise<HttpAnswer> {
  const rest = request.target.slice(prefix.length);
  if (!rest.startsWith("/")) {
    return toJsonAnswer(308, { location: `${prefix}/${rest}` }, { Location: `${prefix}/${rest}` });
  }
  const address = findAddress();
  const place = address === undefined ? undefined : parseHostAndPort(address);
  if (place === undefined)
    return toJsonAnswer(502, { error: `the plugin "${key}" serves no web pages right now` });
  try {
    const answer = await ask(request, rest, prefix, { place, timeoutMs });
    return toAnswer(answer, prefix);
  } catch (error) {
    log.debug({ plugin: key, problem: toMessage(error) }, "a web request could not be passed on");
    return toJsonAnswer(502, { error: `the web server of the plugin "${key}" did not answer` });
  }
}

function ask(
  { method, headers, body, signal }: HttpRequest,
  path: string,
  prefix: string,
  to: {
    readonly place: { readonly host: string; readonly port: number };
    readonly timeoutMs: number;
  },
): Promise<IncomingMessage> {
  const { place, timeoutMs } = to;
  const ofThisConnection = (headers["connection"] ?? "")
    .toString()
    .toLowerCase()
    .split(/[\s,]+/);
  const sent = Object.fromEntries(
    Object.entries(headers).filter(
      ([name, value]) =>
        value !== undefined &&
        name !== "host" &&
        !ofConnection.has(name) &&
        !ofThisConnection.includes(name),
    ),
  );
  return new Promise((resolve, reject) => {
    const outgoing = startRequest({
      ...place,
      method,
      path,
      signal,
      timeout: timeoutMs,
      headers: {
        ...(sent as Record<string, string>),
        host: `${place.host}:${place.port}`,
        "x-forwarded-host": headers["host"]?.toString() ?? "",
        "x-forwarded-prefix": prefix,
        "content-length": body.byteLength,
      },
    });
    outgoing.once("timeout", () => outgoing.destroy(new Error("it did not answer in time")));
    outgoing.once("error", reject);
    outgoing.once("response", resolve);
    outgoing.end(body);
  });
}

function toAnswer(response: IncomingMessage, prefix: string): HttpAnswer {
  const headers: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    const isKept = !ofConnection.has(name) && !ofOrigin.has(name) && !ofDoor.has(name);
    if (value === undefined || !isKept) continue;
    headers[name] = name === "set-cookie" ? toOwnCookies(value, prefix) : value;
  }
  const { "content-type": contentType, "cache-control": caching } = response.headers;
  return {
    status: response.statusCode ?? 502,
    contentType: contentType ?? "application/octet-stream",
    headers: {
      ...headers,
      "content-security-policy": pagePolicy,
      ...(caching === undefined ? {} : { "Cache-Control": caching }),
    },
    body: Readable.toWeb(response) as ReadableStream<Uint8Array>,
  };
}

/** A cookie goes back to the plugin that set it, and to nobody else. */
function toOwnCookies(cookies: string | readonly string[], prefix: string): readonly string[] {
  return [cookies].flat().map((cookie) => {
    const kept = cookie.split(";").filter((part) => !/^\s*(?:domain|path)\s*=/i.test(part));
    return `${kept.join(";")}; Path=${prefix}/`;
  });
}
