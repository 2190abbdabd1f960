import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import {
  formatHandshake,
  maxSocketPathBytes,
  messageLimitVariable,
  parseMessageLimit,
} from "@opentalon/protocol";
import { endWithParent, takeStandardOutput } from "./own-process.ts";
import { type AnswerWeb, serveWeb } from "./serve-web.ts";

/** One gRPC service, as the library takes it. */
export interface OwnService {
  readonly methods: grpc.ServiceDefinition;
  readonly handlers: grpc.UntypedServiceImplementation;
  /** Answers requests for pages of the plugin. */
  readonly web?: AnswerWeb | undefined;
  /** Ends what the program started, while calls under way end. */
  readonly stop?: () => Promise<void>;
}

/** How long calls under way may take to end when the process was told to. The host waits two seconds longer. */
export const endGraceMs = 3_000;

/**
 * Serves until the program is told to stop: on a socket of its own, which only this user can reach, and tells the host
 * where. Resolves once it listens.
 */
export async function serveHost(service: OwnService): Promise<void> {
  const writeToHost = takeStandardOutput();
  const server = createServer(service);
  const web = service.web === undefined ? undefined : await serveWeb(service.web);
  // A folder of its own, which only this user can enter, is what keeps others from calling the plugin.
  const folder = mkdtempSync(join(tmpdir(), "opentalon-plugin-"));
  const address = join(folder, "plugin.sock");
  const close = async (): Promise<void> => {
    await Promise.allSettled([closeServer(server), web?.close(), service.stop?.()]);
  };
  endWithParent({ leftovers: folder, graceMs: endGraceMs, close });
  await listen(server, address);
  writeToHost(`${formatHandshake({ network: "unix", address, httpAddress: web?.address })}\n`);
}

/** A server with the limits of the wire. */
export function createServer({ methods, handlers }: OwnService): grpc.Server {
  const limit = parseMessageLimit(process.env[messageLimitVariable]);
  if (limit.problem !== "") console.error(limit.problem);
  const server = new grpc.Server({
    "grpc.max_receive_message_length": limit.bytes,
    "grpc.max_send_message_length": -1,
  });
  server.addService(methods, handlers);
  return server;
}

/** @throws Error that says why there is no socket. */
export function listen(server: grpc.Server, path: string): Promise<void> {
  const bytes = Buffer.byteLength(path);
  if (bytes > maxSocketPathBytes) {
    throw new Error(
      `the path of the socket has ${bytes} bytes, sockets allow ${maxSocketPathBytes}; use a shorter TMPDIR: ${path}`,
    );
  }
  return new Promise((resolve, reject) => {
    server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

/** Takes no more calls; resolves when those under way have ended. */
export function closeServer(server: grpc.Server): Promise<void> {
  return new Promise((resolve) => server.tryShutdown(() => resolve()));
}

/**
 * The settings of the plugin's entry.
 * @throws Error when they are no JSON object.
 */
export function parseConfigJson(configJson: string): Readonly<Record<string, unknown>> {
  const config: unknown = JSON.parse(configJson === "" ? "{}" : configJson);
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new Error("the configuration is not a JSON object");
  }
  return config as Readonly<Record<string, unknown>>;
}

export function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
