import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** Answers a request for a page of the plugin. Everything the HTTP door has let in arrives here, without the plugin's name in its path. */
export type AnswerWeb = (request: IncomingMessage, response: ServerResponse) => unknown;

export interface WebServer {
  /** `host:port`, as the handshake tells it. */
  readonly address: string;
  readonly close: () => Promise<void>;
}

/** The port the host asks for by `http_port`. */
export const webPortVariable = "OPENTALON_HTTP_PORT";

/**
 * Serves pages on loopback at the port the host gave; `undefined` when it gave none. What `answer` throws becomes a status
 * of 500 and a line of the log.
 * @throws Error when the port is taken.
 */
export async function serveWeb(answer: AnswerWeb): Promise<WebServer | undefined> {
  const port = Number(process.env[webPortVariable] ?? "0");
  if (!Number.isInteger(port) || port <= 0) return undefined;
  const server = createServer((request, response) => {
    void (async () => answer(request, response))().catch((error: unknown) => {
      console.error(error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    address: `127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}
