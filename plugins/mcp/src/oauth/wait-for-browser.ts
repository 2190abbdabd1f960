import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface BrowserWait {
  /** Where the browser is sent back to. */
  readonly redirectUrl: string;
  readonly close: () => void;
}

export interface BrowserWaitOptions {
  /** 0 takes any. */
  readonly port: number;
  /** An address used before; taken again when its port is free and no other one is asked for. */
  readonly preferred: string | undefined;
  readonly limitMs: number;
  /** What the browser brought. What it throws is shown in the browser. */
  readonly onCallback: (params: URLSearchParams) => Promise<void>;
  readonly onTimeout: () => void;
}

const path = "/callback";

/**
 * Listens on this machine for a browser that comes back from signing in.
 * @throws Error when the port is taken.
 */
export async function waitForBrowser(options: BrowserWaitOptions): Promise<BrowserWait> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const answer = (status: number, text: string): void => {
      response.writeHead(status, {
        "content-type": "text/plain; charset=utf-8",
        "cache-control": "no-store",
        connection: "close",
      });
      response.end(`${text}\n`);
    };
    if (request.method !== "GET" || url.pathname !== path) return answer(404, "Nothing is here.");
    options.onCallback(url.searchParams).then(
      () => answer(200, "You are signed in. This page can be closed."),
      // The words of the other side are not repeated on a page of ours.
      () => answer(400, "Signing in did not work; the log of OpenTalon says why."),
    );
  });
  server.headersTimeout = 5_000;
  server.maxConnections = 8;
  const preferredPort =
    options.preferred === undefined ? 0 : Number(new URL(options.preferred).port);
  if (options.port !== 0) await listen(server, options.port);
  else await listen(server, preferredPort).catch(() => listen(server, 0));
  const timer = setTimeout(() => {
    close();
    options.onTimeout();
  }, options.limitMs);
  timer.unref();
  const close = (): void => {
    clearTimeout(timer);
    server.close();
  };
  const { port } = server.address() as AddressInfo;
  return { redirectUrl: `http://127.0.0.1:${port}${path}`, close };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException): void => {
      const isTaken = error.code === "EADDRINUSE";
      reject(isTaken ? new Error(`port ${port} of this machine is taken`) : error);
    };
    server.once("error", fail);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", fail);
      resolve();
    });
  });
}
