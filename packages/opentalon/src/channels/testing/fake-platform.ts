import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface PostedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly document: Readonly<Record<string, unknown>>;
}

/** A platform that takes replies over HTTP and answers as the test decides; 200 unless told otherwise. */
export interface FakePlatform extends AsyncDisposable {
  readonly url: URL;
  readonly posted: readonly PostedRequest[];
  readonly connectionCount: () => number;
  readonly openConnections: () => number;
  readonly answerWith: (answer: (response: ServerResponse, request: PostedRequest) => void) => void;
}

export async function startFakePlatform(): Promise<FakePlatform> {
  const posted: PostedRequest[] = [];
  let connectionCount = 0;
  let openConnections = 0;
  let answer = (response: ServerResponse, _request: PostedRequest): void => {
    response.end("{}");
  };
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = Buffer.concat(chunks);
      const document = JSON.parse(body.toString()) as Readonly<Record<string, unknown>>;
      const request = { path: incoming.url ?? "", headers: incoming.headers, body, document };
      posted.push(request);
      answer(response, request);
    });
  });
  server.on("connection", (socket) => {
    connectionCount += 1;
    openConnections += 1;
    socket.once("close", () => {
      openConnections -= 1;
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/outbound?to=us`),
    posted,
    connectionCount: () => connectionCount,
    openConnections: () => openConnections,
    answerWith: (next) => {
      answer = next;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
