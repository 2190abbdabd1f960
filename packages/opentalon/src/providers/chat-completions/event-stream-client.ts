import type { Agent, ClientRequest, IncomingMessage, RequestOptions, request } from "node:http";
import { createParser } from "eventsource-parser";
import type { Clock } from "../../base/clock.ts";
import { ProviderError, toMessage } from "../../base/errors.ts";
import type { ProviderFailureReason } from "../../base/errors.ts";
import type { Secret } from "../../base/secret.ts";
import { createAnswerDeadline } from "../wire/answer-deadline.ts";
import { parseBaseUrl } from "../base-url.ts";
import { findComplaint, quote, toFailure, toRefusal } from "../wire/classify-failure.ts";
import type { FailureContext } from "../wire/classify-failure.ts";
import { findRetryAfter } from "../wire/find-retry-after.ts";
import type { ModelCallLimits } from "../model-adapter.ts";

/** What one event meant for the deadlines: a piece of the answer, only a sign of life, or the end of the answer. */
export type EventOutcome = "token" | "alive" | "done";

export interface EventStreamCall {
  /** Under the base URL, without leading slash. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** For error texts. */
  readonly model: string;
  /** Removed from error texts; where it goes on the wire, `headers` say. */
  readonly credential: Secret | undefined;
  readonly signal: AbortSignal;
  /** Gets the data of each event; a JSON answer to a streaming request is one event. What it throws ends the call. */
  readonly onEvent: (data: string) => EventOutcome;
}

/** Posts JSON to one server and reads the event stream it answers with, over kept connections. */
export interface EventStreamClient extends AsyncDisposable {
  /**
   * Resolves when the answer is done or the stream ended in order; whether it was complete, the caller knows.
   * @throws ProviderError; redirects are refused, so that a key never travels to another address.
   */
  readonly post: (call: EventStreamCall) => Promise<void>;
}

export interface EventStreamClientOptions {
  /** With or without trailing slash; a query is kept. */
  readonly baseUrl: string;
  readonly limits: ModelCallLimits;
  readonly clock: Clock;
  /** Connections at once; further calls wait for one. */
  readonly maxConnections: number;
}

const maxErrorBodyBytes = 64 * 1024;
const maxEventLength = 8 * 1024 * 1024;

export function createEventStreamClient(options: EventStreamClientOptions): EventStreamClient {
  const { limits, clock, maxConnections } = options;
  const base = parseBaseUrl(options.baseUrl);
  const agentOptions = {
    keepAlive: true,
    maxSockets: maxConnections,
    maxFreeSockets: maxConnections,
  };
  const isTls = base.protocol === "https:";
  const running = new Set<() => void>();
  let transport: Promise<Transport> | undefined;
  let isDisposed = false;

  const attempt = (
    call: EventStreamCall,
    startRequest: Transport["startRequest"],
    connection: Agent | false,
  ): Promise<"answered" | "stale"> =>
    new Promise((resolve, reject) => {
      const context: FailureContext = { model: call.model, credential: call.credential };
      let hasAnswer = false;
      let isSettled = false;

      const settle = (finish: () => void): void => {
        if (isSettled) return;
        isSettled = true;
        call.signal.removeEventListener("abort", cancel);
        running.delete(cancel);
        finish();
      };
      const fail = (error: unknown): void => {
        settle(() => reject(toProviderError(error, context)));
        deadline[Symbol.dispose]();
        request.destroy();
      };
      const failWith = (reason: ProviderFailureReason, what: string, cause?: unknown): void =>
        fail(toFailure(context, reason, what, { cause }));
      const cancel = (): void => failWith("cancelled", "the call was cancelled");
      const take = (data: string): void => {
        if (isSettled) return;
        try {
          const outcome = call.onEvent(data);
          if (outcome === "alive") return;
          deadline.sawToken();
          // The rest of the body is read and dropped, so that the connection can be used again.
          if (outcome === "done") settle(() => resolve("answered"));
        } catch (error) {
          fail(error);
        }
      };

      let onBroken = (error: unknown): void =>
        failWith("broken-stream", "the connection broke inside the answer", error);

      const readAnswer = (response: IncomingMessage): void => {
        hasAnswer = true;
        const status = response.statusCode ?? 0;
        response.once("error", (error) => onBroken(error));
        response.once("close", () => deadline[Symbol.dispose]());
        if (status < 200 || status >= 300) {
          onBroken = collect(response, maxErrorBodyBytes, (text) => {
            // What a listener throws would end the program.
            try {
              fail(toHttpRefusal(context, response, text, clock.now()));
            } catch (error) {
              fail(error);
            }
          });
          return;
        }
        const type = response.headers["content-type"] ?? "";
        if (type.includes("json")) {
          collect(response, maxEventLength, (text) => {
            take(text);
            settle(() => resolve("answered"));
          });
        } else if (type.includes("text/html")) {
          failWith("broken-stream", "the server answered with a web page; check base_url");
        } else {
          readEvents(response, take, deadline.sawLife, failWith, () =>
            settle(() => resolve("answered")),
          );
        }
      };

      const request: ClientRequest = startRequest({
        ...toTarget(base, call.path),
        method: "POST",
        agent: connection,
        headers: {
          ...call.headers,
          "content-type": "application/json",
          accept: "text/event-stream",
          "content-length": Buffer.byteLength(call.body),
        },
      });
      const deadline = createAnswerDeadline({
        clock,
        limits,
        onTimeout: (what) => failWith("timed-out", what),
      });
      request.once("response", readAnswer);
      request.on("error", (error: NodeJS.ErrnoException) => {
        if (hasAnswer) {
          onBroken(error);
          return;
        }
        // A kept connection that the server closed just now: nothing was answered, nothing is wrong with the server.
        if (request.reusedSocket && (error.code === "ECONNRESET" || error.code === "EPIPE")) {
          deadline[Symbol.dispose]();
          settle(() => resolve("stale"));
          return;
        }
        failWith(
          "unreachable",
          `${base.host} could not be reached (${error.code ?? toMessage(error)})`,
          error,
        );
      });
      call.signal.addEventListener("abort", cancel, { once: true });
      running.add(cancel);
      if (call.signal.aborted || isDisposed) cancel();
      else request.end(call.body);
    });

  return {
    post: async (call) => {
      try {
        const { startRequest, agent } = await (transport ??= openTransport(isTls, agentOptions));
        const outcome = await attempt(call, startRequest, agent);
        if (outcome === "stale") await attempt(call, startRequest, false);
      } catch (error) {
        if (error instanceof ProviderError) throw error;
        // Node refuses to send such a header and names it, not its value.
        const context = { model: call.model, credential: call.credential };
        const what =
          "the request cannot be sent; look for line breaks or odd characters in the API key";
        throw toFailure(context, "unauthorized", what, { cause: error });
      }
    },
    [Symbol.asyncDispose]: async () => {
      isDisposed = true;
      for (const cancel of running) cancel();
      (await transport)?.agent.destroy();
    },
  };
}

interface Transport {
  readonly startRequest: typeof request;
  readonly agent: Agent;
}

/**
 * Node's HTTP client is loaded with the first call: importing it brings in all of `fetch`, a tenth of the time a start may
 * take.
 */
async function openTransport(
  isTls: boolean,
  options: { readonly keepAlive: boolean; readonly maxSockets: number },
): Promise<Transport> {
  const http = isTls ? await import("node:https") : await import("node:http");
  return { startRequest: http.request, agent: new http.Agent(options) };
}

function readEvents(
  response: IncomingMessage,
  take: (data: string) => void,
  onAlive: () => void,
  failWith: (reason: ProviderFailureReason, what: string) => void,
  onEnd: () => void,
): void {
  const parser = createParser({
    maxBufferSize: maxEventLength,
    onEvent: ({ data }) => take(data),
    onError: ({ type }) => {
      if (type === "max-buffer-size-exceeded")
        failWith("broken-stream", "the server sent an oversized event");
    },
  });
  response.setEncoding("utf8");
  response.on("data", (text: string) => {
    onAlive();
    if (!response.destroyed) parser.feed(text);
  });
  response.once("end", () => {
    // Some servers leave out the blank line behind the last event.
    if (!response.destroyed) parser.feed("\n\n");
    onEnd();
  });
}

/** Gives the body's text, at most `maxBytes` of it; what is beyond is read and dropped. Returns how to have it at once. */
function collect(
  response: IncomingMessage,
  maxBytes: number,
  onText: (text: string) => void,
): () => void {
  const parts: Buffer[] = [];
  let size = 0;
  const finish = (): void => onText(Buffer.concat(parts).toString("utf8"));
  response.on("data", (part: Buffer) => {
    if (size >= maxBytes) return;
    parts.push(part.subarray(0, maxBytes - size));
    size += part.length;
    // An endless error page is cut here; `fail` closes the connection.
    if (size >= maxBytes) finish();
  });
  response.once("end", finish);
  return finish;
}

function toHttpRefusal(
  context: FailureContext,
  response: IncomingMessage,
  text: string,
  nowMs: number,
): ProviderError {
  const status = response.statusCode ?? 0;
  const retryAfterMs = findRetryAfter(response.headers, nowMs);
  if (status >= 300 && status < 400) {
    const message = "the server redirects to another address; set base_url to the final one";
    return toRefusal(context, status, { message, code: "", status: undefined }, retryAfterMs);
  }
  const complaint = findComplaint(parseJson(text)) ?? {
    message: text,
    code: "",
    status: undefined,
  };
  return toRefusal(context, status, { ...complaint, status: undefined }, retryAfterMs);
}

function toProviderError(error: unknown, context: FailureContext): ProviderError {
  if (error instanceof ProviderError) return error;
  const what = `the answer could not be read: ${quote(toMessage(error), context.credential)}`;
  return toFailure(context, "broken-stream", what, { cause: error });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function toTarget(base: URL, path: string): RequestOptions {
  return {
    protocol: base.protocol,
    hostname: base.hostname.replaceAll(/^\[|\]$/g, ""),
    ...(base.port === "" ? {} : { port: base.port }),
    path: `${base.pathname.replace(/\/+$/, "")}/${path}${base.search}`,
    ...(base.username === ""
      ? {}
      : { auth: `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}` }),
  };
}
