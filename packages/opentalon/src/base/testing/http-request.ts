import type { HttpAnswer, HttpRequest } from "../http-route.ts";

/** A request as a door hands it to a route. */
export function toHttpRequest(changes: Partial<HttpRequest> = {}): HttpRequest {
  const { path = "/" } = changes;
  return {
    method: "GET",
    path,
    target: path,
    parameters: {},
    query: () => undefined,
    header: () => undefined,
    headers: {},
    body: new Uint8Array(),
    signal: new AbortController().signal,
    isTrusted: true,
    ...changes,
  };
}

/** All of an answer's body, as text. */
export function readBody({ body }: HttpAnswer): Promise<string> {
  return new Response(body as string).text();
}
