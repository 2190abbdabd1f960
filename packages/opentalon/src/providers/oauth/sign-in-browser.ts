import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";
import { createDeadline, untilAborted } from "../../base/deadline.ts";
import { AuthError } from "../../base/errors.ts";
import type { OAuthClient } from "./oauth-client.ts";
import type { Grant } from "./oauth-options.ts";
import type { SignInNotice } from "./sign-in-notice.ts";

export interface BrowserSignIn {
  /** Of the provider. */
  readonly name: string;
  readonly client: OAuthClient;
  readonly clock: Clock;
  readonly announce: (notice: SignInNotice) => void;
  readonly signal: AbortSignal;
}

const patienceMs = 300_000;
const returnPath = "/callback";

/**
 * Signs in with the browser of this machine, which comes back to a door that only this machine reaches and that is open
 * for one sign-in.
 * @throws AuthError
 */
export async function signInWithBrowser(options: BrowserSignIn): Promise<Grant> {
  const { name, client, clock, announce, signal } = options;
  const timeIsUp = new AuthError(
    "AUTH_EXPIRED",
    `provider ${name}: nobody signed in within ${patienceMs / 60_000} minutes`,
  );
  using deadline = createDeadline({
    clock,
    timeoutMs: patienceMs,
    signal,
    toError: () => timeIsUp,
  });
  const returned = Promise.withResolvers<BrowserReturn>();
  await using door = await openDoor((found) => returned.resolve(found));
  const start = await client.startBrowser(door.url, deadline.signal);
  door.admit(start.isOwn);
  announce({ kind: "browser", url: start.url });
  const { parameters, answer } = await untilAborted(deadline.signal, returned.promise);
  try {
    const grant = await start.finish(parameters, deadline.signal);
    await answer(200, "You are signed in. This window can be closed.");
    return grant;
  } catch (error) {
    await answer(400, "Signing in did not work. The terminal says why.");
    throw error;
  }
}

/** The browser came back and waits for words. */
interface BrowserReturn {
  readonly parameters: URLSearchParams;
  /** Resolves when the page was sent, or its reader is gone. */
  readonly answer: (status: number, words: string) => Promise<void>;
}

interface Door extends AsyncDisposable {
  readonly url: string;
  /** From now on returns are taken that are `isOwn`; every other caller is turned away. */
  readonly admit: (isOwn: (parameters: URLSearchParams) => boolean) => void;
}

async function openDoor(onReturn: (found: BrowserReturn) => void): Promise<Door> {
  let isOwn = (_parameters: URLSearchParams): boolean => false;
  // Node's own HTTP costs a start a good part of its time, and hardly anybody signs in while starting.
  const { createServer } = await import("node:http");
  const server = createServer({ maxHeaderSize: 16 * 1024 }, (request, response) => {
    request.resume();
    const parameters = findReturn(request);
    if (parameters === undefined) return void send(response, 404, "There is nothing here.");
    if (!isOwn(parameters)) {
      return void send(response, 400, "This return belongs to no sign-in that waits here.");
    }
    isOwn = () => false;
    onReturn({ parameters, answer: (status, words) => send(response, status, words) });
  });
  server.maxConnections = 16;
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const found = server.address();
  const port = typeof found === "object" && found !== null ? found.port : 0;
  return {
    url: `http://127.0.0.1:${port}${returnPath}`,
    admit: (check) => void (isOwn = check),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function findReturn({ method, url = "" }: IncomingMessage): URLSearchParams | undefined {
  const address = `http://127.0.0.1${url}`;
  if (method !== "GET" || !url.startsWith("/") || !URL.canParse(address)) return undefined;
  const { pathname, searchParams } = new URL(address);
  return pathname === returnPath ? searchParams : undefined;
}

function send(response: ServerResponse, status: number, words: string): Promise<void> {
  return new Promise((resolve) => {
    response.once("close", resolve);
    response.writeHead(status, {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      connection: "close",
    });
    response.end(`${words}\n`);
  });
}
