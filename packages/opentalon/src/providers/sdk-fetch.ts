import type { Clock } from "../base/clock.ts";
import { findComplaint, isRecord, toFailure } from "./classify-failure.ts";
import type { FailureContext } from "./classify-failure.ts";
import { findRetryAfter } from "./find-retry-after.ts";
import { parseJson, toSdkRefusal } from "./sdk-failure.ts";

export interface SdkFetchOptions {
  readonly context: FailureContext;
  /** Replaces every header in which an SDK sends a key. */
  readonly keyHeaders: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Something of the answer came. */
  readonly onLife: () => void;
}

const maxErrorBodyBytes = 64 * 1024;
const maxEventBytes = 8 * 1024 * 1024;
const headersOfKeys = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];

/**
 * The way of an SDK to its server. Keys are put in here, so that no SDK ever holds one; what is no event stream becomes a
 * ProviderError here, before an SDK makes something of it; and nothing a server sends is kept without bound.
 */
export function createSdkFetch(options: SdkFetchOptions): typeof fetch {
  const { context, keyHeaders, clock, onLife } = options;
  return async (input, init) => {
    const headers = new Headers(init?.headers);
    for (const name of headersOfKeys) headers.delete(name);
    try {
      for (const [name, value] of Object.entries(keyHeaders)) headers.set(name, value);
    } catch {
      const what =
        "the request cannot be sent; look for line breaks or odd characters in the API key";
      throw toFailure(context, "unauthorized", what);
    }
    const response = await send(input, { ...init, headers, redirect: "manual" }, context);
    const type = response.headers.get("content-type") ?? "";
    if (!response.ok) {
      const text = await collect(response, maxErrorBodyBytes, context);
      throw toHttpRefusal(context, response, text, clock.now());
    }
    if (type.includes("text/html")) {
      void response.body?.cancel().catch(() => undefined);
      const what = "the server answered with a web page; check base_url";
      throw toFailure(context, "broken-stream", what);
    }
    if (type.includes("json")) {
      const body = toErrorBody(parseJson(await collect(response, maxErrorBodyBytes, context)));
      const complaint = findComplaint(body);
      if (complaint !== undefined)
        throw toSdkRefusal(context, complaint.status ?? 200, complaint, { body });
      const what = "the server answered without an event stream; check base_url and api";
      throw toFailure(context, "broken-stream", what);
    }
    const body = response.body;
    if (body === null) throw toFailure(context, "broken-stream", "the server sent no answer");
    return new Response(readEvents(body, context, onLife), {
      status: response.status,
      headers: response.headers,
    });
  };
}

async function send(
  input: Parameters<typeof fetch>[0],
  init: RequestInit,
  context: FailureContext,
): Promise<Response> {
  try {
    return await fetch(input, init);
  } catch (error) {
    init.signal?.throwIfAborted();
    const { cause } = error as Error;
    const code = isRecord(cause) && typeof cause["code"] === "string" ? cause["code"] : "";
    if (code === "UND_ERR_HEADERS_TIMEOUT")
      throw toFailure(context, "timed-out", "the server accepted the request and stayed silent");
    const address = new URL(input instanceof Request ? input.url : input).host;
    const why = code === "" ? "" : ` (${code})`;
    throw toFailure(context, "unreachable", `${address} could not be reached${why}`);
  }
}

/** Passes an event stream on, piece by piece, as long as its events have a reasonable size. */
function readEvents(
  body: ReadableStream<Uint8Array>,
  context: FailureContext,
  onLife: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let openBytes = 0;
  return new ReadableStream({
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read();
        if (done) {
          // Some servers leave out the blank line behind the last event.
          controller.enqueue(new TextEncoder().encode("\n\n"));
          controller.close();
          return;
        }
        onLife();
        const piece = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        const lastEnd = Math.max(piece.lastIndexOf("\n\n"), piece.lastIndexOf("\n\r\n"));
        openBytes = lastEnd === -1 ? openBytes + piece.length : piece.length - lastEnd;
        if (openBytes > maxEventBytes) {
          void reader.cancel().catch(() => undefined);
          throw toFailure(context, "broken-stream", "the server sent an oversized event");
        }
        controller.enqueue(value);
      } catch (error) {
        controller.error(toReadFailure(error, context));
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

/** The body's text, at most `maxBytes` of it; the rest is left behind with the connection. */
async function collect(
  response: Response,
  maxBytes: number,
  context: FailureContext,
): Promise<string> {
  const body: ReadableStream<Uint8Array> | null = response.body;
  const reader = body?.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    while (reader !== undefined && size < maxBytes) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value.subarray(0, maxBytes - size));
      size += value.length;
    }
  } catch (error) {
    // What came of an error page is enough.
    if (response.ok) throw toReadFailure(error, context);
  }
  if (size >= maxBytes) void reader?.cancel().catch(() => undefined);
  return Buffer.concat(parts).toString("utf8");
}

function toReadFailure(error: unknown, context: FailureContext): unknown {
  // `terminated`, or another word of the connection: everything else is an error of ours already.
  if (!(error instanceof TypeError)) return error;
  return toFailure(context, "broken-stream", "the connection broke inside the answer");
}

function toHttpRefusal(
  context: FailureContext,
  response: Response,
  text: string,
  nowMs: number,
): unknown {
  const { status } = response;
  const retryAfterMs = findRetryAfter(Object.fromEntries(response.headers), nowMs);
  const unexplained = { code: "", status: undefined };
  if (status >= 300 && status < 400) {
    const message = "the server redirects to another address; set base_url to the final one";
    return toSdkRefusal(context, status, { message, ...unexplained }, { retryAfterMs });
  }
  const body = toErrorBody(parseJson(text));
  const complaint = findComplaint(body) ?? { message: text, ...unexplained };
  return toSdkRefusal(context, status, { ...complaint, status: undefined }, { retryAfterMs, body });
}

/** Google puts the error into a list when it was asked for a stream. */
function toErrorBody(body: unknown): unknown {
  return Array.isArray(body) ? (body as unknown[])[0] : body;
}
