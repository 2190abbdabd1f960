import { finished } from "node:stream/promises";
import type { Readable, Writable } from "node:stream";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import type { McpServer } from "@modelcontextprotocol/server";
import type { Log } from "../../base/log.ts";
import type { ToolDesk } from "../../domain/tool-desk.ts";

export interface ServeStreamsOptions {
  readonly createServer: () => McpServer;
  readonly desk: Pick<ToolDesk, "list" | "follow">;
  readonly input: Readable;
  /** Carries the protocol and nothing else. */
  readonly output: Writable;
  readonly log: Pick<Log, "debug">;
}

/** Longest message of a client. */
const maxMessageBytes = 4_194_304;

/** Disposal ends the conversation; calls under way are given up. */
export interface StreamServing extends AsyncDisposable {
  /** Resolves when the client has gone. */
  readonly ended: Promise<void>;
}

/** Speaks the Model Context Protocol with the program at the other end of two streams, in the version it speaks. */
export function serveStreams(options: ServeStreamsOptions): StreamServing {
  const { createServer, desk, input, output, log } = options;
  const servers = new Set<McpServer>();
  const transport = new StdioServerTransport(input, output, { maxBufferSize: maxMessageBytes });
  const handle = serveStdio(
    () => {
      const server = createServer();
      servers.add(server);
      Object.assign(server.server, { onclose: () => servers.delete(server) });
      return server;
    },
    { transport, onerror: (error) => log.debug({ problem: error.message }, "MCP") },
  );
  const following = followList(desk, () => {
    // One that has not been introduced yet is told nothing, and asks anyway.
    for (const { server } of servers) void server.sendToolListChanged().catch(() => undefined);
  });
  return {
    ended: Promise.race([finished(input), finished(output)]).catch(() => undefined),
    [Symbol.asyncDispose]: async () => {
      following[Symbol.dispose]();
      await handle.close();
    },
  };
}

/** Plugins that come and go change the list only when what they offer is another thing afterwards. */
function followList(desk: Pick<ToolDesk, "list" | "follow">, onChange: () => void): Disposable {
  let known: string | undefined;
  let isStale = false;
  let isLooking = false;
  const look = async (): Promise<void> => {
    isStale = true;
    if (isLooking) return;
    isLooking = true;
    while (isStale) {
      isStale = false;
      const seen = JSON.stringify(await desk.list());
      if (known !== undefined && known !== seen) onChange();
      known = seen;
    }
    isLooking = false;
  };
  const lookQuietly = (): void =>
    void look().catch(() => {
      isLooking = false;
    });
  lookQuietly();
  return desk.follow(lookQuietly);
}
