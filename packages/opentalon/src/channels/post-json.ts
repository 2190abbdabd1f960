import type { ClientRequest, IncomingHttpHeaders, RequestOptions } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { toMessage } from "../base/errors.ts";
import { parseRetryAfter } from "../base/retry-after.ts";
import { DeliveryError } from "./delivery-error.ts";

/** Posts JSON to one URL over connections that are kept. */
export interface JsonPoster {
  /**
   * Resolves on 2xx.
   * @throws DeliveryError with what is known about the outcome. Redirects are refusals: they are not followed.
   */
  readonly post: (body: Uint8Array, headers: Readonly<Record<string, string>>) => Promise<void>;
  /** Ends requests under way, with an unknown outcome, and all connections. */
  readonly close: () => void;
}

export interface JsonPosterOptions {
  readonly url: URL;
  /** For the whole request, from the call to the answer's headers and again to its end. */
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const maxAnswerBytes = 65_536;
const agentOptions = {
  keepAlive: true,
  maxSockets: 64,
  maxFreeSockets: 16,
  // Below the usual five seconds of servers: a connection must not be closed by them while we write on it.
  timeout: 4_000,
};

export function createJsonPoster({ url, timeoutMs, clock }: JsonPosterOptions): JsonPoster {
  const isSecure = url.protocol === "https:";
  const target = toTarget(url);
  const running = new Set<ClientRequest>();
  // Loaded with the first message: importing it brings in all of `fetch`, which a start should not wait for.
  let loading: ReturnType<typeof openClient> | undefined;
  const openClient = async () => {
    const http = isSecure ? await import("node:https") : await import("node:http");
    return { request: http.request, agent: new http.Agent(agentOptions) };
  };

  return {
    post: async (body, headers) => {
      const { request, agent } = await (loading ??= openClient());
      return new Promise((resolve, reject) => {
        let isConnected = false;
        const sending = request({
          method: "POST",
          agent,
          ...target,
          headers: {
            "Content-Type": "application/json",
            "Content-Length": body.byteLength,
            "User-Agent": "opentalon",
            ...headers,
          },
        });
        running.add(sending);
        const cancelTimeout = clock.after(timeoutMs, () =>
          sending.destroy(new Error(`no answer within ${formatDuration(timeoutMs)}`)),
        );
        sending.on("socket", (socket) => {
          // A connection that was kept stands already; so does one that another request gave back just now.
          if (!isOpening(socket)) isConnected = true;
          else {
            socket.once(isSecure ? "secureConnect" : "connect", () => {
              isConnected = true;
            });
          }
        });
        sending.on("response", (answer) => {
          const status = answer.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve();
          else reject(toRefusal(status, answer.headers, url, clock));
          let answerBytes = 0;
          answer.on("data", (chunk: Buffer) => {
            answerBytes += chunk.length;
            if (answerBytes > maxAnswerBytes) sending.destroy();
          });
          // The outcome is known; what breaks now breaks only the connection.
          answer.on("error", () => {});
        });
        sending.on("error", (error) => {
          // Before the connection stands not a byte has left; afterwards nobody knows how far it came.
          const outcome = isConnected ? "unknown" : "not-delivered";
          const problem = `${url.origin} did not answer: ${describe(error)}`;
          reject(new DeliveryError(problem, { outcome, cause: error }));
        });
        sending.on("close", () => {
          cancelTimeout();
          running.delete(sending);
        });
        sending.end(body);
      });
    },
    close: () => {
      for (const sending of running) sending.destroy(new Error("the channel was closed"));
      void loading?.then(({ agent }) => agent.destroy());
    },
  };
}

/** The URL as it stands; a user and password in it become basic authentication. */
function toTarget(url: URL): RequestOptions {
  const { hostname, port, pathname, search, username, password } = url;
  const auth = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? undefined : port,
    path: pathname + search,
    auth: username === "" ? undefined : auth,
  };
}

function toRefusal(
  status: number,
  headers: IncomingHttpHeaders,
  url: URL,
  clock: Clock,
): DeliveryError {
  const hint = status >= 300 && status < 400 ? "; redirects are not followed" : "";
  return new DeliveryError(`${url.origin} answered with status ${status}${hint}`, {
    outcome: "not-delivered",
    retryAfterMs: parseRetryAfter(headers, clock.now()),
  });
}

/** Whether nothing can have been written yet. */
function isOpening(socket: Socket): boolean {
  const { secureConnecting } = socket as { secureConnecting?: boolean };
  return socket.connecting || secureConnecting === true;
}

/** Several addresses that all failed come as one error without a text of its own. */
function describe(error: Error): string {
  const { errors } = error as { errors?: readonly unknown[] };
  return errors === undefined ? toMessage(error) : errors.map(toMessage).join(", ");
}
