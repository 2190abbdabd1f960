import { AsyncLocalStorage } from "node:async_hooks";
import type { FetchLike } from "@modelcontextprotocol/client";

/** Headers of one call, by name. May be secret. */
export type CallHeaders = Readonly<Record<string, string>>;

export interface ServerFetch {
  readonly fetch: FetchLike;
  /** Without any of the headers, for signing in: it may happen elsewhere, and in the middle of a call. */
  readonly plainFetch: FetchLike;
  /** Runs a call whose requests to the server carry these headers beside the configured ones. */
  readonly withHeaders: <Result>(
    headers: CallHeaders,
    call: () => Promise<Result>,
  ) => Promise<Result>;
  /** Whether the call under way brings its own credential. */
  readonly hasCallCredential: () => boolean;
}

export interface ServerFetchOptions {
  readonly url: URL;
  /** Sent with every request to the server. */
  readonly headers: CallHeaders;
  /** Longest answer, and longest single event of a stream. */
  readonly maxBytes: number;
}

/**
 * Requests of one server's connection. Headers, which may hold credentials, go to the server's own origin and nowhere
 * else, whatever address the server names for signing in; the headers of a call win over all others. What comes back is
 * bounded.
 */
export function createServerFetch({ url, headers, maxBytes }: ServerFetchOptions): ServerFetch {
  const callHeaders = new AsyncLocalStorage<CallHeaders>();
  return {
    fetch: async (target, init = {}) => {
      const isOwn = new URL(target).origin === url.origin;
      const all = new Headers(isOwn ? headers : {});
      new Headers(init.headers).forEach((value, name) => all.set(name, value));
      if (isOwn) {
        for (const [name, value] of Object.entries(callHeaders.getStore() ?? {}))
          all.set(name, value);
      }
      // Only credentials of the usual names would be left behind on the way to another origin; the transport, which knows
      // where it may go, follows within its own.
      const response = await fetch(target, { redirect: "manual", ...init, headers: all });
      return bound(response, maxBytes);
    },
    plainFetch: async (target, init) => bound(await fetch(target, init), maxBytes),
    withHeaders: (added, call) => callHeaders.run(added, call),
    hasCallCredential: () => Object.hasOwn(callHeaders.getStore() ?? {}, "authorization"),
  };
}

/** The answer, whose body fails once it, or one event of it, is longer than `maxBytes`. */
function bound(response: Response, maxBytes: number): Response {
  if (response.body === null) return response;
  const isStream = /^text\/event-stream/i.test(response.headers.get("content-type") ?? "");
  let bytes = 0;
  let last = 0;
  const count = (chunk: Uint8Array): void => {
    if (!isStream) {
      bytes += chunk.byteLength;
      return;
    }
    for (const byte of chunk) {
      // An empty line ends an event.
      if (byte === lineFeed && last === lineFeed) bytes = 0;
      else bytes += 1;
      if (byte !== carriageReturn) last = byte;
      if (bytes > maxBytes) return;
    }
  };
  const bounded = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, controller) => {
        count(chunk);
        if (bytes <= maxBytes) controller.enqueue(chunk);
        else controller.error(new Error(`the server's answer is longer than ${maxBytes} bytes`));
      },
    }),
  );
  const { status, statusText, headers } = response;
  const copy = new Response(bounded, { status, statusText, headers });
  Object.defineProperty(copy, "url", { value: response.url });
  return copy;
}

const lineFeed = 10;
const carriageReturn = 13;
