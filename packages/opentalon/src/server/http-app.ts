import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono, type Context } from "hono";
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
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

type Bindings = { Bindings: HttpBindings };

/** Finds the route of a request, lets known callers in, reads the body, and words every refusal as JSON. */
export function createHttpApp(options: HttpAppOptions): Hono<Bindings> {
  const { routes, isTrusted, hasToken, hidesAuthorization } = options;
  const { maxBodyBytes, isClosing, log } = options;
  const app = new Hono<Bindings>();
  const budget = createBodyBudget(options.maxBodyBytesTogether);

  /** Written straight to Node's response: a fetch `Response` in between would cost a third of the throughput. */
  const answer = async (context: Context<Bindings>, what: HttpAnswer): Promise<Response> => {
    const { outgoing } = context.env;
    if (isClosing()) outgoing.shouldKeepAlive = false;
    await writeAnswer(outgoing, what);
    return RESPONSE_ALREADY_SENT;
  };

  const explain = (error: unknown, path: string): HttpAnswer => {
    const reference = createIdentifier();
    log.error({ err: error, reference, path }, "a request could not be answered");
    return toJsonAnswer(500, {
      error: "something went wrong inside; the log says what",
      reference,
    });
  };

  /** `undefined` when the client is gone. */
  const serve = async (
    route: HttpRoute,
    { req, env }: Context<Bindings>,
  ): Promise<HttpAnswer | undefined> => {
    const { headers } = env.incoming;
    const isKnown = isTrusted(headers);
    if (route.authentication === "door" && !isKnown) return hasToken ? askForToken : refuseStranger;
    const maxBytes = Math.max(maxBodyBytes, route.maxBodyBytes ?? 0);
    const read = await readBody(env.incoming, maxBytes, budget);
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
        method: env.incoming.method ?? route.method,
        path: req.path,
        target: env.incoming.url ?? "/",
        parameters: req.param(),
        query: (name) => req.query(name),
        header: (name) => {
          const value = headers[name];
          return Array.isArray(value) ? value.join(", ") : value;
        },
        headers: hidesAuthorization ? { ...headers, authorization: undefined } : headers,
        body: read.body,
        // Most routes never look.
        get signal() {
          return toClientSignal(env.outgoing);
        },
        isTrusted: isKnown,
      });
    } finally {
      budget.giveBack(read.body.byteLength);
    }
  };

  for (const route of routes) {
    const take = async (context: Context<Bindings>): Promise<Response> => {
      const what = await serve(route, context).catch((error: unknown) =>
        explain(error, route.path),
      );
      return what === undefined ? RESPONSE_ALREADY_SENT : answer(context, what);
    };
    if (route.method === "*") app.all(route.path, take);
    else app.on(route.method, route.path, take);
  }
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map(({ method }) => method);
    const allowed = [...methods, ...(methods.includes("GET") ? ["HEAD"] : [])].join(", ");
    app.all(path, (context) =>
      answer(
        context,
        toJsonAnswer(405, { error: `this address takes ${allowed}` }, { Allow: allowed }),
      ),
    );
  }
  app.notFound((context: Context<Bindings>) => answer(context, nothingHere));
  app.onError((error, context: Context<Bindings>) =>
    answer(context, explain(error, context.req.path)),
  );
  return app;
}

function toClientSignal(outgoing: ServerResponse): AbortSignal {
  const gone = new AbortController();
  if (outgoing.destroyed) gone.abort();
  outgoing.once("close", () => gone.abort());
  return gone.signal;
}

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
