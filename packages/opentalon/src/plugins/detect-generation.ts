import { statSync } from "node:fs";
import type { Socket } from "node:net";
import {
  encodeDocument,
  isHttp2Start,
  maxDocumentBytes,
  recognisableBytes,
} from "@opentalon/protocol";
import type { Clock } from "../base/clock.ts";
import { PluginError } from "../base/errors.ts";
import { toAbortError } from "./deadline.ts";
import type { PluginAddress } from "./plugin-address.ts";
import { connectPatiently } from "./plugin-address.ts";

/** What a plugin speaks on its socket: gRPC, or the length-prefixed JSON of the first generation. */
export type WireGeneration = "grpc" | "json";

export interface DetectionOptions {
  readonly plugin: string;
  readonly address: PluginAddress;
  readonly clock: Clock;
  /** Gives up. */
  readonly signal: AbortSignal;
  /** How long a gRPC server may take to speak first. They need one or two milliseconds. */
  readonly patienceMs?: number | undefined;
}

/**
 * Finds out what a plugin speaks by listening: a gRPC server speaks first, one of the first generation waits to be asked.
 * Silence is then answered with a question of the first generation, so that a gRPC server that was merely slow still
 * gives itself away, by its greeting or by hanging up.
 * @throws PluginError
 */
export async function detectGeneration(options: DetectionOptions): Promise<WireGeneration> {
  const { plugin, address, clock, signal, patienceMs = 300 } = options;
  const socket = await connectPatiently(plugin, address, clock, signal);
  const cancelTimer = clock.after(patienceMs, () =>
    socket.write(encodeDocument({ method: "capabilities" })),
  );
  try {
    return await listen(plugin, socket, signal);
  } finally {
    cancelTimer();
    socket.destroy();
  }
}

function listen(plugin: string, socket: Socket, signal: AbortSignal): Promise<WireGeneration> {
  return new Promise((resolve, reject) => {
    let heard = Buffer.alloc(0);
    const onAbort = (): void => reject(toAbortError(plugin, signal));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    socket.on("data", (bytes: Buffer) => {
      heard = Buffer.concat([heard, bytes.subarray(0, recognisableBytes)]);
      const generation = recognise(heard);
      if (generation === "unknown") {
        const problem = `the plugin "${plugin}" speaks neither gRPC nor length-prefixed JSON on its socket`;
        reject(new PluginError(plugin, "protocol-violated", problem));
      } else if (generation !== undefined) resolve(generation);
    });
    // It did not like the question: then it is a gRPC server that had not spoken yet, or it fails there with better words.
    socket.once("close", () => {
      signal.removeEventListener("abort", onAbort);
      resolve("grpc");
    });
  });
}

function recognise(heard: Buffer): WireGeneration | "unknown" | undefined {
  if (heard.length < recognisableBytes) return undefined;
  if (isHttp2Start(heard)) return "grpc";
  return heard.readUInt32BE(0) <= maxDocumentBytes && heard[4] === 0x7b ? "json" : "unknown";
}

/** Remembers what programs speak, until they change on disk. */
export interface GenerationMemory {
  readonly recall: (command: string | readonly string[]) => WireGeneration | undefined;
  readonly remember: (command: string | readonly string[], generation: WireGeneration) => void;
  /** After a failure nothing is taken for granted. */
  readonly forget: (command: string | readonly string[]) => void;
}

export function createGenerationMemory(): GenerationMemory {
  const known = new Map<
    string,
    { readonly generation: WireGeneration; readonly version: string }
  >();
  const toKey = (command: string | readonly string[]): string => JSON.stringify(command);
  return {
    recall: (command) => {
      const entry = known.get(toKey(command));
      return entry?.version === toVersion(command) ? entry.generation : undefined;
    },
    remember: (command, generation) =>
      void known.set(toKey(command), { generation, version: toVersion(command) }),
    forget: (command) => void known.delete(toKey(command)),
  };
}

/** When the files a command names were last changed; an interpreter's script counts like the interpreter. */
function toVersion(command: string | readonly string[]): string {
  const parts = typeof command === "string" ? [command] : command;
  return parts.map(toModificationTimeMs).join(" ");
}

function toModificationTimeMs(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  } catch {
    // An argument need not be a path: it may be longer than any, for instance.
    return 0;
  }
}
