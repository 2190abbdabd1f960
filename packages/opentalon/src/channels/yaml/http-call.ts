import type { ClientRequest, IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../base/clock.ts";
import { formatDuration } from "../../base/duration.ts";
import { toMessage } from "../../base/errors.ts";
import { parseRetryAfter } from "../../base/retry-after.ts";
import { DeliveryError } from "../delivery-error.ts";
import { findField, toText } from "./field-path.ts";
import type { RenderedRequest } from "./render-request.ts";

export interface HttpResult {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface CallLimits {
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Makes the requests of a definition, over connections that are kept. Redirects are not followed. */
export interface HttpCaller {
  /**
   * Resolves with whatever the server answered.
   * @throws DeliveryError when there is no whole answer: `not-delivered` as long as not a byte can have left.
   */
  readonly call: (request: RenderedRequest, limits: CallLimits) => Promise<HttpResult>;
  /** Ends requests under way, with an unknown outcome, and all connections. */
  readonly close: () => void;
}

// Below the usual five seconds of servers: a connection must not be closed by them while we write on it.
const agentOptions = { keepAlive: true, maxSockets: 64, maxFreeSockets: 16, timeout: 4_000 };

export function createHttpCaller(clock: Clock): HttpCaller {
  const running = new Set<ClientRequest>();
  let isClosed = false;
  const openClient = async (isSecure: boolean) => {
    const http = isSecure ? await import("node:https") : await import("node:http");
    return { request: http.request, agent: new http.Agent(agentOptions) };
  };
  // Loaded with the first request: a start should not wait for it.
  const clients = new Map<boolean, ReturnType<typeof openClient>>();
  const findClient = (isSecure: boolean): ReturnType<typeof openClient> => {
    const client = clients.get(isSecure) ?? openClient(isSecure);
    clients.set(isSecure, client);
    return client;
  };

  return {
    call: async ({ url, method, headers, body }, { maxBytes, timeoutMs, signal }) => {
      const isSecure = url.protocol === "https:";
      const { request, agent } = await findClient(isSecure);
      return new Promise((resolve, reject) => {
        let isConnected = false;
        const fail = (error: Error): void => {
          const outcome = isConnected ? "unknown" : "not-delivered";
          reject(
            new DeliveryError(`${url.origin} did not answer: ${describe(error)}`, { outcome }),
          );
        };
        if (isClosed || signal?.aborted === true) return fail(new Error("the channel was closed"));
        const sending = request(url, {
          method,
          agent,
          headers: {
            "User-Agent": "opentalon",
            ...headers,
            ...(body === undefined ? {} : { "Content-Length": body.byteLength }),
          },
        });
        running.add(sending);
        const abort = (): unknown => sending.destroy(new Error("the channel was closed"));
        signal?.addEventListener("abort", abort, { once: true });
        const cancelTimeout = clock.after(timeoutMs, () =>
          sending.destroy(new Error(`no answer within ${formatDuration(timeoutMs)}`)),
        );
        sending.on("socket", (socket) => {
          if (!isOpening(socket)) isConnected = true;
          else {
            socket.once(isSecure ? "secureConnect" : "connect", () => {
              isConnected = true;
            });
          }
        });
        sending.on("response", (answer) => {
          const chunks: Buffer[] = [];
          let length = 0;
          answer.on("data", (chunk: Buffer) => {
            length += chunk.length;
            chunks.push(chunk);
            if (length > maxBytes)
              sending.destroy(new Error(`the answer is larger than ${maxBytes} bytes`));
          });
          answer.on("error", fail);
          answer.on("end", () => {
            resolve({
              status: answer.statusCode ?? 0,
              headers: answer.headers,
              body: Buffer.concat(chunks),
            });
          });
        });
        sending.on("error", fail);
        sending.on("close", () => {
          cancelTimeout();
          signal?.removeEventListener("abort", abort);
          running.delete(sending);
          // An answer that broke off without an error.
          fail(new Error("the connection ended too early"));
        });
        sending.end(body);
      });
    },
    close: () => {
      isClosed = true;
      for (const sending of running) sending.destroy(new Error("the channel was closed"));
      for (const client of clients.values()) void client.then(({ agent }) => agent.destroy());
    },
  };
}

/** The answer as JSON, `undefined` when it is none. */
export function parseAnswer({ body }: HttpResult): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
}

/** Longest part of a refusal's own words that goes into an error. */
const maxReasonLength = 200;

/**
 * Throws when the server refused: a status other than 2xx, or a JSON answer that says `"ok": false`, as chat platforms
 * do.
 * @throws DeliveryError not-delivered, with the time the platform asks to wait.
 */
export function checkAnswer(
  { url, place }: RenderedRequest,
  result: HttpResult,
  clock: Clock,
): void {
  const answer = parseAnswer(result);
  const isRefused = findField(answer, "ok") === false;
  if (result.status >= 200 && result.status < 300 && !isRefused) return;
  const reasons = ["description", "error.message", "error", "message"];
  const reason = reasons.map((path) => toText(findField(answer, path))).find((text) => text !== "");
  const status =
    isRefused && result.status < 300 ? "with a refusal" : `with status ${result.status}`;
  const hint = result.status >= 300 && result.status < 400 ? "; redirects are not followed" : "";
  const words = reason === undefined ? "" : `: ${reason.slice(0, maxReasonLength)}`;
  throw new RefusedError(`${place}: ${url.origin} answered ${status}${words}${hint}`, {
    status: result.status,
    retryAfterMs: readRetryAfter(result, answer, clock.now()),
  });
}

/** The platform answered, and said no. */
export class RefusedError extends DeliveryError {
  readonly status: number;

  constructor(
    message: string,
    {
      status,
      retryAfterMs,
    }: { readonly status: number; readonly retryAfterMs: number | undefined },
  ) {
    super(message, { outcome: "not-delivered", retryAfterMs });
    this.status = status;
  }
}

function readRetryAfter(
  { headers }: HttpResult,
  answer: unknown,
  nowMs: number,
): number | undefined {
  const seconds = findField(answer, "parameters.retry_after");
  return (
    parseRetryAfter(headers, nowMs) ?? (typeof seconds === "number" ? seconds * 1_000 : undefined)
  );
}

function isOpening(socket: Socket): boolean {
  const { secureConnecting } = socket as { secureConnecting?: boolean };
  return socket.connecting || secureConnecting === true;
}

/** Several addresses that all failed come as one error without a text of its own. */
function describe(error: Error): string {
  const { errors } = error as { errors?: readonly unknown[] };
  return errors === undefined ? toMessage(error) : errors.map(toMessage).join(", ");
}
