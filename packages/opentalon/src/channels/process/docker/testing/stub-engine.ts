import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What an engine was asked to create. */
export interface CreatedContainer {
  readonly Image: string;
  readonly Env: readonly string[];
  readonly Labels: Readonly<Record<string, string>>;
  readonly HostConfig: { readonly Binds: readonly string[] };
}

/** A server that speaks as much of the Docker Engine API as channels use, and starts a program in place of containers. */
export interface StubEngine extends AsyncDisposable {
  /** For `DOCKER_HOST`. */
  readonly host: string;
  readonly created: readonly CreatedContainer[];
  /** Method and path of all it was asked, without the question mark and what follows. */
  readonly asked: readonly string[];
}

export interface StubEngineOptions {
  /** Runs as every container. */
  readonly command: readonly string[];
  /** Whether the image is there before it is pulled. */
  readonly hasImage?: boolean;
  /** What the registry says instead of an image. */
  readonly pullError?: string;
  /** Containers that are there already, by label. */
  readonly leftOvers?: Readonly<Record<string, string>>;
}

export async function startStubEngine(options: StubEngineOptions): Promise<StubEngine> {
  const { command, pullError, leftOvers = {} } = options;
  const folder = await mkdtemp(join(tmpdir(), "ot-engine-"));
  const socketPath = join(folder, "docker.sock");
  let hasImage = options.hasImage ?? false;
  const created: CreatedContainer[] = [];
  const asked: string[] = [];
  const processes: ChildProcess[] = [];

  const start = ({ Env, HostConfig }: CreatedContainer): void => {
    const [from = ""] = HostConfig.Binds[0]?.split(":") ?? [];
    const given: Readonly<Record<string, string>> = Object.fromEntries(
      Env.map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)]),
    );
    const [program = "", ...args] = command;
    const env = { ...given, OPENTALON_CHANNEL_SOCK_DIR: from };
    processes.push(spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] }));
  };

  /** As engines send both streams over one: who said it, how much, what. */
  const toFrame = (stream: number, bytes: Buffer): Buffer => {
    const header = Buffer.alloc(8);
    header.writeUInt8(stream, 0);
    header.writeUInt32BE(bytes.length, 4);
    return Buffer.concat([header, bytes]);
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? "").replace(/\?.*$/, "").replace(/^\/v[\d.]+(?=\/)/, "");
    const question = `${request.method} ${path}`;
    asked.push(question);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const answer = (status: number, document?: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(document === undefined ? undefined : JSON.stringify(document));
    };
    const [, id] = /^\/containers\/c(\d+)\//.exec(path) ?? [];
    const child = processes[Number(id)];
    switch (question.replace(/c\d+/, "ID").replace(/images\/.+\/json/, "images/NAME/json")) {
      case "GET /version":
        return answer(200, { ApiVersion: "1.41", Components: [{ Name: "Engine" }] });
      case "GET /info":
        return answer(200, { SecurityOptions: ["name=seccomp"] });
      case "GET /containers/json":
        return answer(
          200,
          Object.entries(leftOvers).map(([Id, label]) => ({
            Id,
            Labels: { "opentalon.instance": label },
          })),
        );
      case "GET /images/NAME/json":
        return hasImage
          ? answer(200, { Config: { Labels: null } })
          : answer(404, { message: "No such image" });
      case "POST /images/create":
        response.writeHead(200, { "content-type": "application/json" });
        response.write('{"status":"Pulling from library/channel","id":"latest"}\r\n');
        response.write(
          '{"status":"Downloading","progressDetail":{"current":5,"total":10},"id":"a"}\r\n',
        );
        hasImage = pullError === undefined;
        return void response.end(
          hasImage
            ? '{"status":"Status: Downloaded newer image"}\r\n'
            : JSON.stringify({ error: pullError }),
        );
      case "POST /containers/create":
        created.push(JSON.parse(Buffer.concat(chunks).toString()) as CreatedContainer);
        return answer(201, { Id: `c${created.length - 1}` });
      case "POST /containers/ID/start":
        start(created[Number(id)] as CreatedContainer);
        return answer(204);
      case "GET /containers/ID/logs": {
        response.writeHead(200, { "content-type": "application/vnd.docker.raw-stream" });
        response.flushHeaders();
        child?.stdout?.on("data", (bytes: Buffer) => response.write(toFrame(1, bytes)));
        child?.stderr?.on("data", (bytes: Buffer) => response.write(toFrame(2, bytes)));
        return void child?.once("close", () => response.end());
      }
      case "POST /containers/ID/wait":
        if (child?.exitCode === null && child.signalCode === null) await once(child, "close");
        return answer(200, { StatusCode: child?.exitCode ?? 137 });
      case "POST /containers/ID/stop":
        child?.kill("SIGKILL");
        return answer(204);
      case "GET /containers/ID/json":
        return answer(200, { State: { OOMKilled: false } });
      default:
        return answer(request.method === "DELETE" ? 204 : 404, { message: "page not found" });
    }
  };

  const server = createServer((request, response) => void serve(request, response));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return {
    host: `unix://${socketPath}`,
    created,
    asked,
    [Symbol.asyncDispose]: async () => {
      for (const child of processes) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        child.kill("SIGKILL");
        await once(child, "close");
      }
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(folder, { recursive: true });
    },
  };
}
