/**
 * Gets: routes of other parts. Gives: one HTTP server that offers them, with `/healthz` and `/readyz`.
 * Never: lets a caller of unknown identity in from another machine, holds a connection, a body or a header without a
 * bound, or tells a client what went wrong inside.
 */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ConfigError, toMessage } from "../base/errors.ts";
import { type HttpRoute, toJsonAnswer } from "../base/http-route.ts";
import type { Log } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import { createHttpApp } from "./http-app.ts";
import { closeServer, createHttpServer, type HttpServerLimits } from "./http-server.ts";
import { isLoopbackHost, type ListenAddress, parseListenAddress } from "../base/listen-address.ts";
import { createTrustCaller } from "./trust-caller.ts";

export interface HttpDoorLimits extends HttpServerLimits {
  readonly maxBodyBytes: number;
  /** Of all requests under way together. */
  readonly maxBodyBytesTogether: number;
  /** How long requests under way may take to finish when the door closes. */
  readonly closeTimeoutMs: number;
}

const defaultLimits: HttpDoorLimits = {
  maxBodyBytes: 1_048_576,
  maxBodyBytesTogether: 67_108_864,
  maxConnections: 1_024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 12_000,
  closeTimeoutMs: 10_000,
};

export interface HttpDoorOptions {
  /** `host:port`. */
  readonly address: string;
  /** The setting that says so, for messages; `server.addr` when absent. */
  readonly setting?: string | undefined;
  /** Of two routes with the same method and path the first one counts. */
  readonly routes: readonly HttpRoute[];
  /** What is not ready, as `name` or `name: why`; empty when everything is. */
  readonly findUnready: () => readonly string[];
  /** Callers of routes with `authentication: "door"` must send it as `Authorization: Bearer <token>`. */
  readonly token?: Secret | undefined;
  /** Listen for other machines without a token: somebody in front of the door checks callers. */
  readonly allowPublic?: boolean | undefined;
  readonly limits?: Partial<HttpDoorLimits>;
  readonly log: Log;
}

/**
 * The program's HTTP server. Disposal refuses new connections, lets requests under way finish (at most
 * `closeTimeoutMs`) and cuts what is left.
 */
export interface HttpDoor {
  /** Where it listens, with the port the system chose: `http://127.0.0.1:3978`. */
  readonly url: string;
  /** Answers `/readyz` with 503 from now on, so that nobody sends anything new; everything else goes on. */
  readonly announceClosing: () => void;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/**
 * Opens the door; resolves when it listens.
 * @throws ConfigError CONFIG_INVALID when the address is not one, is taken, or is open to other machines while some
 * route has nothing that checks its callers.
 */
export async function createHttpDoor(options: HttpDoorOptions): Promise<HttpDoor> {
  const { address, routes, token, allowPublic = false, findUnready, log } = options;
  const { setting = "server.addr" } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const listenAddress = parseListenAddress(address);
  const isLoopback = isLoopbackHost(listenAddress.host);
  refuseOpenDoor(options, isLoopback);

  let isClosing = false;
  const app = createHttpApp({
    routes: [
      toHealthRoute("/healthz", () => []),
      toHealthRoute("/readyz", () => (isClosing ? ["closing", ...findUnready()] : findUnready())),
      ...routes,
    ],
    isTrusted: createTrustCaller({ token, isLoopback, allowPublic }),
    hasToken: token !== undefined,
    hidesAuthorization: token !== undefined || allowPublic,
    maxBodyBytes: limits.maxBodyBytes,
    maxBodyBytesTogether: limits.maxBodyBytesTogether,
    isClosing: () => isClosing,
    log,
  });
  const server = createHttpServer(app, limits);
  await listen(server, listenAddress, setting);
  server.on("error", (error) =>
    log.error({ err: error }, "the HTTP door could not take a connection"),
  );
  const url = toUrl(server.address() as AddressInfo);
  log.info({ url, setting }, "the HTTP door is open");

  let closed: Promise<void> | undefined;
  return {
    url,
    announceClosing: () => {
      isClosing = true;
    },
    [Symbol.asyncDispose]: () => {
      isClosing = true;
      closed ??= closeServer(server, limits.closeTimeoutMs);
      return closed;
    },
  };
}

function refuseOpenDoor(
  { address, setting = "server.addr", routes, token, allowPublic }: HttpDoorOptions,
  isLoopback: boolean,
): void {
  const needsToken = routes.some(({ authentication }) => authentication === "door");
  if (isLoopback || token !== undefined || allowPublic === true || !needsToken) return;
  throw new ConfigError(
    "CONFIG_INVALID",
    `${setting} is ${address}, which other machines can reach, and no server.token is set; ` +
      "set server.token, or listen on 127.0.0.1, or set server.allow_public if a proxy checks callers",
  );
}

function toHealthRoute(path: string, findUnready: () => readonly string[]): HttpRoute {
  return {
    method: "GET",
    path,
    authentication: "own",
    handle: async ({ isTrusted }) => {
      const unready = isTrusted ? findUnready() : findUnready().map(toNameAlone);
      const isReady = unready.length === 0;
      return isReady
        ? toJsonAnswer(200, { status: "ok" })
        : toJsonAnswer(503, { status: "unready", unready });
    },
  };
}

/** Why something is not ready may quote what it wrote, and is nothing for strangers. */
function toNameAlone(unready: string): string {
  return unready.split(": ", 1)[0] ?? "";
}

function listen(server: Server, { host, port }: ListenAddress, setting: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const problem = `the HTTP door cannot listen on ${setting}, ${host}:${port}: ${toMessage(error)}`;
      reject(new ConfigError("CONFIG_INVALID", problem, { cause: error }));
    });
    server.listen(host === "" ? { port } : { host, port }, resolve);
  });
}

function toUrl({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
