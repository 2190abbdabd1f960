import type { Clock } from "../../base/clock.ts";
import { findComplaint, isRecord, toFailure } from "../wire/classify-failure.ts";
import type { FailureContext } from "../wire/classify-failure.ts";
import { findRetryAfter } from "../wire/find-retry-after.ts";
import { parseJson, toSdkRefusal } from "./sdk-failure.ts";

export interface SdkFetchOptions {
  readonly context: FailureContext;
  /** Replaces every header in which an SDK sends a key. */
  readonly keyHeaders: Readonly<Record<string, string>>;
  /** Headers that depend on the request, on top of those. @throws ProviderError */
  readonly authorize?: ((request: OutgoingRequest) => Promise<HeaderRecord>) | undefined;
  /** How the pieces of an answer are told apart; by blank lines when absent. */
  readonly framing?: "blank-lines" | "length-prefixes" | undefined;
  readonly clock: Clock;
  /** Something of the answer came. */
  readonly onLife: () => void;
}

/** A request as it is about to leave. */
export interface OutgoingRequest {
  readonly url: string;
  readonly headers: HeaderRecord;
  readonly body: string;
  readonly signal: AbortSignal | undefined;
}

export type HeaderRecord = Readonly<Record<string, string>>;

const maxErrorBodyBytes = 64 * 1024;
const maxEventBytes = 8 * 1024 * 1024;
const headersOfKeys = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];

/**
 * The way of an SDK to its server. Keys are put in here, so that no SDK ever holds one; what is no event stream becomes a
 * ProviderError here, before an SDK makes something of it; and nothing a server sends is kept without bound.
 */
export function createSdkFetch(options: SdkFetchOptions): typeof fetch {
  const { context, keyHeaders, clock, onLife, authorize } = options;
  const limitPieces = options.framing === "length-prefixes" ? createFrameLimit : createEventLimit;
  return async (input, init) => {
    const headers = new Headers(init?.headers);
    for (const name of headersOfKeys) headers.delete(name);
    setHeaders(headers, keyHeaders, context);
    if (authorize !== undefined) {
      const url = input instanceof Request ? input.url : String(input);
      const body = typeof init?.body === "string" ? init.body : "";
      const signal = init?.signal ?? undefined;
      const added = await authorize({ url, headers: Object.fromEntries(headers), body, signal });
      setHeaders(headers, added, context);
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
    return new Response(readPieces(body, limitPieces(), context, onLife), {
      status: response.status,
      headers: response.headers,
    });
  };
}

function setHeaders(headers: Headers, added: HeaderRecord, context: FailureContext): void {
  try {
    for (const [name, value] of Object.entries(added)) headers.set(name, value);
  } catch {
    const what =
      "the request cannot be sent; look for line breaks or odd characters in the API key";
    throw toFailure(context, "unauthorized", what);
  }
}

/** A fetch whose failures are ours. @throws ProviderError, or what `init.signal` aborted with. */
export async function send(
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

/** What bounds the pieces of an answer, however they are told apart. */
interface PieceLimit {
  /** Whether the piece that is open is still of a reasonable size once `part` came. */
  readonly take: (part: Buffer) => boolean;
  /** What some servers forget behind the last piece. */
  readonly end: string;
}

function createEventLimit(): PieceLimit {
  let openBytes = 0;
  return {
    take: (part) => {
      const lastEnd = Math.max(part.lastIndexOf("\n\n"), part.lastIndexOf("\n\r\n"));
      openBytes = lastEnd === -1 ? openBytes + part.length : part.length - lastEnd;
      return openBytes <= maxEventBytes;
    },
    end: "\n\n",
  };
}

const lengthBytes = 4;
const leastFrameBytes = 16;

/** Each frame begins with its length, this number included. */
function createFrameLimit(): PieceLimit {
  let head = Buffer.alloc(0);
  let missingBytes = 0;
  return {
    take: (part) => {
      let rest = part;
      while (rest.length > 0) {
        const skipped = Math.min(missingBytes, rest.length);
        missingBytes -= skipped;
        rest = rest.subarray(skipped);
        if (rest.length === 0) break;
        const needed = lengthBytes - head.length;
        head = Buffer.concat([head, rest.subarray(0, needed)]);
        rest = rest.subarray(needed);
        if (head.length < lengthBytes) break;
        const frameBytes = head.readUInt32BE();
        if (frameBytes < leastFrameBytes || frameBytes > maxEventBytes) return false;
        missingBytes = frameBytes - lengthBytes;
        head = Buffer.alloc(0);
      }
      return true;
    },
    end: "",
  };
}

/** Passes an answer on as it comes, as long as its pieces have a reasonable size. */
function readPieces(
  body: ReadableStream<Uint8Array>,
  limit: PieceLimit,
  context: FailureContext,
  onLife: () => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read();
        if (done) {
          if (limit.end !== "") controller.enqueue(new TextEncoder().encode(limit.end));
          controller.close();
          return;
        }
        onLife();
        if (!limit.take(Buffer.from(value.buffer, value.byteOffset, value.byteLength))) {
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
export async function collect(
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
