import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { formatHandshake, messageLimitVariable, parseMessageLimit } from "@opentalon/protocol";
import { endWithParent, takeStandardOutput } from "./own-process.ts";

/** One gRPC service, as the library takes it. */
export interface OwnService {
  readonly methods: grpc.ServiceDefinition;
  readonly handlers: grpc.UntypedServiceImplementation;
  /** Ends what the program started, while calls under way end. */
  readonly stop?: () => Promise<void>;
}

const endGraceMs = 3_000;

/**
 * Serves until the program is told to stop: on a socket of its own, which only this user can reach, and tells the host
 * where. Resolves once it listens.
 */
export async function serveHost({ methods, handlers, stop }: OwnService): Promise<void> {
  const writeToHost = takeStandardOutput();
  const limit = parseMessageLimit(process.env[messageLimitVariable]);
  if (limit.problem !== "") console.error(limit.problem);
  const server = new grpc.Server({
    "grpc.max_receive_message_length": limit.bytes,
    "grpc.max_send_message_length": -1,
  });
  server.addService(methods, handlers);

  // A folder of its own, which only this user can enter, is what keeps others from calling the plugin.
  const folder = mkdtempSync(join(tmpdir(), "opentalon-plugin-"));
  const address = join(folder, "plugin.sock");
  const close = async (): Promise<void> => {
    await Promise.allSettled([closeServer(server), stop?.()]);
  };
  endWithParent({ folder, graceMs: endGraceMs, close });
  await listen(server, `unix:${address}`);
  writeToHost(`${formatHandshake({ network: "unix", address })}\n`);
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

function listen(server: grpc.Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
}

function closeServer(server: grpc.Server): Promise<void> {
  return new Promise((resolve) => server.tryShutdown(() => resolve()));
}
