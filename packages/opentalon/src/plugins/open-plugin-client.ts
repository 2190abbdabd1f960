import type { Clock } from "../base/clock.ts";
import type { GenerationMemory } from "./detect-generation.ts";
import { detectGeneration } from "./detect-generation.ts";
import { createJsonPluginClient } from "./json-plugin-client.ts";
import type { PluginAddress } from "./plugin-address.ts";
import type { PluginClient, PluginClientOptions } from "./plugin-client.ts";

export interface OpenPluginClientOptions extends PluginClientOptions {
  readonly address: PluginAddress;
  readonly command: string | readonly string[];
  readonly generations: GenerationMemory;
  readonly clock: Clock;
  /** Called when a plugin that could be reached seems to be no more; once or more often. */
  readonly onDoubt: () => void;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/**
 * A client for a plugin process that has just said where it listens, speaking what the plugin speaks.
 * @throws PluginError
 */
export async function openPluginClient(options: OpenPluginClientOptions): Promise<PluginClient> {
  const { command, generations } = options;
  const generation = generations.recall(command) ?? (await detectGeneration(options));
  generations.remember(command, generation);
  if (generation === "json") return createJsonPluginClient(options);
  const { createGrpcPluginClient } = await loadGrpc();
  return createGrpcPluginClient(options);
}

/** Loads the gRPC library, which takes longer than anything else here: begin while the plugin is starting. */
export function loadGrpc(): Promise<typeof import("./grpc-plugin-client.ts")> {
  return import("./grpc-plugin-client.ts");
}
