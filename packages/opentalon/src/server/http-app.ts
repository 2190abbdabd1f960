import { METHOD_NAME_ALL } from "hono/router";
import { TrieRouter } from "hono/router/trie-router";
import { getPath, getQueryParam, tryDecodeURIComponent } from "hono/utils/url";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { type HttpAnswer, type HttpRoute, toJsonAnswer } from "../base/http-route.ts";
import { createIdentifier } from "../base/identifier.ts";
import type { Log } from "../base/log.ts";
import { createBodyBudget, readBody } from "./read-body.ts";
import { writeAnswer } from "./write-answer.ts";

export interface HttpAppOptions {
  readonly routes: readonly HttpRoute[];
  readonly isTrusted: (headers: IncomingHttpHeaders) => boolean;
  /** Whether there is a token that would make a caller trusted. */
  readonly hasToken: boolean;
  /** What callers send as `authorization` is meant for the door, or for who stands in front of it: nobody behind it sees it. */
  readonly hidesAuthorization: boolean;
  readonly maxBodyBytes: number;
  readonly maxBodyBytesTogether: number;
  /** Connections end with their answer from then on. */
  readonly isClosing: () => boolean;
  readonly log: Log;
}

/** Answers one request. Never throws. */
export type HttpApp = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** A request on its way to its route. */
interface Asked {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly path: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** What answers at an address; `undefined` when the client is gone. */
type Serve = (asked: Asked) => Promise<HttpAnswer | undefined>;

/** A client may take so long to stop sending what nobody reads, once it has its answer. */
const restGraceMs = 500;

/**
 * Finds the route of a request, lets known callers in, reads the body, and words every refusal as JSON. Requests and
 * answers are Node's own: those of `fetch` in between would cost a third of the throughput, and an HTTP client in memory.
 */
export function createHttpApp(options: HttpAppOptions): HttpApp {
  const { routes, isTrusted, hasToken, hidesAuthorization } = options;
  const { maxBodyBytes, isClosing, log } = options;
  const router = new TrieRouter<Serve>();
  const budget = createBodyBudget(options.maxBodyBytesTogether);

  const explain = (error: unknown, path: string): HttpAnswer => {
    const reference = createIdentifier();
    log.error({ err: error, reference, path }, "a request could not be answered");
    return toJsonAnswer(500, {
      error: "something went wrong inside; the log says what",
      reference,
    });
  };

  const serve = async (
    route: HttpRoute,
    { incoming, outgoing, path, parameters }: Asked,
  ): Promise<HttpAnswer | undefined> => {
    const { headers, url: target = "/" } = incoming;
    const isKnown = isTrusted(headers);
    if (route.authentication === "door" && !isKnown) return hasToken ? askForToken : refuseStranger;
    const maxBytes = Math.max(maxBodyBytes, route.maxBodyBytes ?? 0);
    const read = await readBody(incoming, maxBytes, budget);
    switch (read.kind) {
      case "aborted":
        return undefined;
      case "too-large":
        return toJsonAnswer(413, { error: `the body is larger than ${maxBytes} bytes` });
      case "too-busy":
        return tooBusy;
      case "read":
    }
    try {
      return await route.handle({
        method: incoming.method ?? route.method,
        path,
        target,
        parameters,
        query: (name) => getQueryParam(toUrl(target), name) as string | undefined,
        header: (name) => {
          const value = headers[name];
          return Array.isArray(value) ? value.join(", ") : value;
        },
        headers: hidesAuthorization ? { ...headers, authorization: undefined } : headers,
        body: read.body,
        // Most routes never look.
        get signal() {
          return toClientSignal(outgoing);
        },
        isTrusted: isKnown,
      });
    } finally {
      budget.giveBack(read.body.byteLength);
    }
  };

  for (const route of routes) {
    const method = route.method === "*" ? METHOD_NAME_ALL : route.method;
    router.add(method, route.path, (asked) => serve(route, asked));
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map(({ method }) => method);
    const allowed = [...methods, ...(methods.includes("GET") ? ["HEAD"] : [])].join(", ");
    const error = `this address takes ${allowed}`;
    router.add(METHOD_NAME_ALL, path, async () => toJsonAnswer(405, { error }, { Allow: allowed }));
  }

  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const path = getPath({ url: toUrl(incoming.url ?? "/") } as Request);
    const method = incoming.method === "HEAD" ? "GET" : (incoming.method ?? "GET");
    const [[found]] = router.match(method, path);
    let what: HttpAnswer | undefined = nothingHere;
    if (!hostPattern.test(incoming.headers.host ?? "")) what = noHost;
    else if (found !== undefined) {
      const [take, parameters] = found;
      const asked = { incoming, outgoing, path, parameters: decodeAll(parameters) };
      what = await take(asked).catch((error: unknown) => explain(error, path));
    }
    if (what === undefined) return;
    if (isClosing()) outgoing.shouldKeepAlive = false;
    if (!incoming.complete) outgoing.once("finish", () => cutSoon(incoming));
    await writeAnswer(outgoing, what);
  };
  return (incoming, outgoing) => {
    answer(incoming, outgoing).catch((error: unknown) => {
      log.error({ err: error }, "a request could not be answered");
      outgoing.destroy();
    });
  };
}

/** A client may name a server, too, as one does to a proxy. */
function toUrl(target: string): string {
  return target.startsWith("/") ? `http://door${target}` : target;
}

function decodeAll(parameters: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, tryDecodeURIComponent(String(value))]),
  );
}

/** Node throws away what still comes of a request that was answered. */
function cutSoon(incoming: IncomingMessage): void {
  const timer = setTimeout(() => {
    if (!incoming.complete) incoming.destroy();
  }, restGraceMs);
  incoming.once("close", () => clearTimeout(timer)).once("end", () => clearTimeout(timer));
}

function toClientSignal(outgoing: ServerResponse): AbortSignal {
  const gone = new AbortController();
  if (outgoing.destroyed) gone.abort();
  outgoing.once("close", () => gone.abort());
  return gone.signal;
}

const hostPattern = /^[\w.\-:[\]%]*$/;

const noHost = toJsonAnswer(400, { error: "the header Host does not name a host" });

const nothingHere = toJsonAnswer(404, { error: "there is nothing at this address" });

const tooBusy = toJsonAnswer(503, { error: "too many requests at once" }, { "Retry-After": "1" });

const askForToken = toJsonAnswer(
  401,
  { error: "send the door's token as `Authorization: Bearer <token>`" },
  { "WWW-Authenticate": "Bearer" },
);

const refuseStranger = toJsonAnswer(403, {
  error: "only programs on this machine may ask; set server.token to let others in",
});
