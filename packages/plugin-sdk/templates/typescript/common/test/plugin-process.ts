/** For tests: starts the plugin as OpenTalon does, and connects to it. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Client,
  credentials,
  type ClientReadableStream,
  type MethodDefinition,
  type ServiceError,
} from "@grpc/grpc-js";

export interface PluginProcess extends AsyncDisposable {
  /** Calls a method; rejects with the gRPC status when it fails. */
  readonly call: <Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
  ) => Promise<Response>;
  /** Calls a method that answers with a stream. */
  readonly stream: <Request, Response>(
    method: MethodDefinition<Request, Response>,
    request: Request,
  ) => ClientReadableStream<Response>;
}

/** A tool, hook or provider, which says where it listens. */
export async function startPlugin(): Promise<PluginProcess> {
  const { child, folder } = start({});
  const [line] = (await once(createInterface({ input: child.stdout! }), "line")) as [string];
  assert.match(line, /^1\|unix\|/);
  return connect(child, folder, line.slice("1|unix|".length));
}

/** A channel, which listens where it is told to. */
export async function startChannel(): Promise<PluginProcess> {
  const { child, folder } = start({ channel: true });
  const path = join(folder, "channel.sock");
  for (const giveUp = Date.now() + 10_000; !existsSync(path); await sleep(25)) {
    assert.ok(Date.now() < giveUp, "the channel does not listen");
  }
  return connect(child, folder, path);
}

function start({ channel = false }): { child: ChildProcess; folder: string } {
  const { PATH, PLUGIN_PROGRAM } = process.env;
  assert.ok(PLUGIN_PROGRAM, "PLUGIN_PROGRAM is not set: use `make test`");
  const folder = mkdtempSync(join(tmpdir(), "opentalon-test-"));
  const child = spawn(PLUGIN_PROGRAM, {
    env: {
      PATH,
      HOME: folder,
      TMPDIR: folder,
      ...(channel ? { OPENTALON_CHANNEL_SOCK_DIR: folder } : {}),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  return { child, folder };
}

function connect(child: ChildProcess, folder: string, path: string): PluginProcess {
  const client = new Client(`unix:${path}`, credentials.createInsecure());
  const within = () => ({ deadline: Date.now() + 10_000 });
  return {
    call: <Request, Response>(method: MethodDefinition<Request, Response>, request: Request) =>
      new Promise<Response>((resolve, reject) => {
        const { path: name, requestSerialize, responseDeserialize } = method;
        const done = (error: ServiceError | null, response?: Response): void =>
          error === null ? resolve(response as Response) : reject(error);
        client.makeUnaryRequest(
          name,
          requestSerialize,
          responseDeserialize,
          request,
          within(),
          done,
        );
      }),
    stream: (method, request) =>
      client.makeServerStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        within(),
      ),
    [Symbol.asyncDispose]: async () => {
      client.close();
      const ended = once(child, "exit");
      child.kill("SIGINT");
      const overdue = setTimeout(() => child.kill("SIGKILL"), 10_000);
      const [code] = (await ended) as [number | null];
      clearTimeout(overdue);
      const left = readdirSync(folder);
      rmSync(folder, { recursive: true });
      assert.equal(code, 0, "SIGINT did not end it in good order");
      assert.deepEqual(left, [], "it left its socket behind");
    },
  };
}
