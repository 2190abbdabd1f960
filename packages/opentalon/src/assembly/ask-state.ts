import type { Clock } from "../base/clock.ts";
import type { HttpRequest, HttpRoute } from "../base/http-route.ts";
import type { Config } from "../config/load-config.ts";
import { createConfiguredPairing } from "./assemble-access.ts";
import { openStateBeside } from "./open-state-beside.ts";
import { toOutboxRoutes } from "./outbox-routes.ts";
import { toPairingRoutes } from "./pairing-routes.ts";

export interface StateQuestion {
  readonly config: Config;
  readonly clock: Clock;
  readonly method: "GET" | "POST" | "DELETE";
  /** Path and query. */
  readonly path: string;
  /** A JSON value; none when absent. */
  readonly body?: unknown;
}

/**
 * Answers what a running program would be asked through its control socket, over the state alone: what concerns strangers
 * and replies on their way.
 * @throws StoreError, ConfigError
 */
export async function askState(
  question: StateQuestion,
): Promise<{ readonly status: number; readonly body: string }> {
  const { config, clock, method, body } = question;
  await using state = await openStateBeside({ config, clock });
  const { outbox, keyValue } = state;
  const routes = [
    ...toOutboxRoutes({ outbox }),
    ...toPairingRoutes(createConfiguredPairing({ config, keyValue, clock })),
  ];
  const url = new URL(question.path, "http://localhost");
  for (const route of routes) {
    const parameters = route.method === method ? match(route, url.pathname) : undefined;
    if (parameters === undefined) continue;
    const request: HttpRequest = {
      method,
      path: url.pathname,
      target: question.path,
      parameters,
      query: (name) => url.searchParams.get(name) ?? undefined,
      header: () => undefined,
      headers: {},
      body: Buffer.from(body === undefined ? "" : JSON.stringify(body), "utf8"),
      signal: new AbortController().signal,
      isTrusted: true,
    };
    const answer = await route.handle(request);
    return { status: answer.status, body: await new Response(answer.body).text() };
  }
  throw new Error(`nothing answers ${method} ${url.pathname} beside a running program`);
}

function match({ path }: HttpRoute, asked: string): Record<string, string> | undefined {
  const segments = path.split("/");
  const given = asked.split("/");
  if (segments.length !== given.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [at, segment] of segments.entries()) {
    const value = decodeURIComponent(given[at] ?? "");
    if (segment.startsWith(":")) parameters[segment.slice(1)] = value;
    else if (segment !== value) return undefined;
  }
  return parameters;
}
