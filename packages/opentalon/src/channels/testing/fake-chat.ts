import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FakeChannelOptions } from "./fake-channel-options.ts";

/** What a fake channel was given to deliver. */
export interface SentMessage {
  readonly delivery_id: string;
  readonly conversation_id: string;
  readonly thread_id: string;
  readonly content: string;
  readonly files: readonly { readonly name: string; readonly size: number }[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** The people at the other end of fake channels: what they write reaches the process that runs now. */
export interface FakeChat extends AsyncDisposable {
  /** Path for `FakeChannelOptions.chat`. */
  readonly path: string;
  readonly command: (options?: FakeChannelOptions) => readonly string[];
  /** To the process of the newest connection; waits until there is one. */
  readonly tell: (command: object) => Promise<void>;
  readonly say: (content: string, more?: object) => Promise<void>;
  readonly sent: readonly SentMessage[];
  /** Receipts that were acknowledged. */
  readonly acknowledged: readonly string[];
  /** Processes, each once it has begun to listen to its people. */
  readonly pids: readonly number[];
  /** How often one was started by the host, with what it was told. */
  readonly starts: readonly { readonly config: string | undefined; readonly instance: string }[];
  /** Processes that are connected right now. */
  readonly connections: () => number;
}

const program = fileURLToPath(new URL("fake-channel.ts", import.meta.url));

export async function createFakeChat(): Promise<FakeChat> {
  const folder = await mkdtemp(join(tmpdir(), "opentalon-chat-"));
  const path = join(folder, "chat.sock");
  const sockets = new Set<Socket>();
  let newest: Socket | undefined;
  const sent: SentMessage[] = [];
  const acknowledged: string[] = [];
  const pids: number[] = [];
  const starts: { readonly config: string | undefined; readonly instance: string }[] = [];
  let wake = (): void => {};
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => {
      sockets.delete(socket);
      if (newest === socket) newest = undefined;
    });
    const lines = createInterface({ input: socket });
    lines.on("error", () => {});
    lines.on("line", (line) => {
      const event = JSON.parse(line) as {
        readonly sent?: SentMessage;
        readonly acknowledged?: string;
        readonly pid?: number;
        readonly ready?: { readonly config: string | undefined; readonly instance: string };
      };
      if (event.sent !== undefined) sent.push(event.sent);
      if (event.acknowledged !== undefined) acknowledged.push(event.acknowledged);
      if (event.pid !== undefined) pids.push(event.pid);
      if (event.ready !== undefined) {
        starts.push(event.ready);
        newest = socket;
        wake();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const tell = async (command: object): Promise<void> => {
    while (newest === undefined) {
      const woken = Promise.withResolvers<void>();
      wake = woken.resolve;
      await woken.promise;
    }
    newest.write(`${JSON.stringify(command)}\n`);
  };
  return {
    path,
    command: (options = {}) => [
      process.execPath,
      program,
      JSON.stringify({ chat: path, ...options }),
    ],
    tell,
    say: (content, more = {}) => tell({ say: { content, ...more } }),
    sent,
    acknowledged,
    pids,
    starts,
    connections: () => sockets.size,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(folder, { recursive: true });
    },
  };
}
