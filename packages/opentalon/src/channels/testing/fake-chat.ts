import { mkdtemp, rm } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
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
  /** Nobody reads what is sent until the returned function is called; counts for channels that await it. */
  readonly holdBack: () => () => void;
  /** Receipts that were acknowledged. */
  readonly acknowledged: readonly string[];
  /** Processes, each once it has begun to listen to its people. */
  readonly pids: readonly number[];
  /** How often one was started by the host, with what it was told. */
  readonly starts: readonly { readonly config: string | undefined; readonly instance: string }[];
  /** People go to a channel that cannot come to them; resolves to whether it is there. */
  readonly visit: (path: string) => Promise<boolean>;
  /** Processes that are connected right now. */
  readonly connections: () => number;
}

const program = fileURLToPath(new URL("fake-channel.ts", import.meta.url));

export async function createFakeChat(): Promise<FakeChat> {
  const folder = await mkdtemp(join(tmpdir(), "opentalon-chat-"));
  const path = join(folder, "chat.sock");
  const sockets = new Set<Socket>();
  let held: (() => void)[] | undefined;
  let newest: Socket | undefined;
  const sent: SentMessage[] = [];
  const acknowledged: string[] = [];
  const pids: number[] = [];
  const starts: { readonly config: string | undefined; readonly instance: string }[] = [];
  let wake = (): void => {};
  const meet = (socket: Socket): void => {
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
      if (event.sent !== undefined) {
        sent.push(event.sent);
        const read = (): void => void socket.write('{"do":"read"}\n');
        if (held === undefined) read();
        else held.push(read);
      }
      if (event.acknowledged !== undefined) acknowledged.push(event.acknowledged);
      if (event.pid !== undefined) pids.push(event.pid);
      if (event.ready !== undefined) {
        starts.push(event.ready);
        newest = socket;
        wake();
      }
    });
  };
  const server = createServer(meet);
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
    holdBack: () => {
      held = [];
      return () => {
        for (const read of held ?? []) read();
        held = undefined;
      };
    },
    acknowledged,
    pids,
    starts,
    visit: (at) =>
      new Promise((resolve) => {
        const socket = createConnection(at);
        socket.once("error", () => resolve(false));
        socket.once("connect", () => {
          meet(socket);
          resolve(true);
        });
      }),
    connections: () => sockets.size,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(folder, { recursive: true });
    },
  };
}
