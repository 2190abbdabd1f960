import type { Socket } from "node:net";
import {
  encodeDocument,
  isHttp2Start,
  maxDocumentBytes,
  recognisableBytes,
} from "@opentalon/protocol";
import type { Clock } from "../../base/clock.ts";
import { PluginError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { toAbortError } from "../../plugins/deadline.ts";
import { connectPatiently, type PluginAddress } from "../../plugins/plugin-address.ts";
import type { RemoteAccess } from "../../plugins/remote-access.ts";
import type { ChannelWire } from "./channel-wire.ts";
import { createJsonWire } from "./json-wire.ts";

export interface OpenWireOptions {
  /** Name of the channel. */
  readonly plugin: string;
  readonly address: PluginAddress;
  /** For one that runs elsewhere, and speaks gRPC. */
  readonly access?: RemoteAccess | undefined;
  readonly maxMessageBytes: number;
  readonly sendTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Gives up. */
  readonly signal: AbortSignal;
  /** How long a gRPC server may take to speak first. They need one or two milliseconds. */
  readonly patienceMs?: number | undefined;
}

/**
 * A connection to a channel that listens, in the language it speaks. A gRPC server speaks first. One of the first
 * generation waits to be asked, and accepts one connection in its life: so the one that is listened on is kept, and no
 * word of another language is ever said on it.
 * @throws PluginError
 */
export async function openWire(options: OpenWireOptions): Promise<ChannelWire> {
  const { plugin, address, access, clock, signal, patienceMs = 300 } = options;
  if (access !== undefined) return openGrpcWire(options);
  const socket = await connectPatiently(plugin, address, clock, signal);
  const cancelTimer = clock.after(patienceMs, () =>
    socket.write(encodeDocument({ method: "capabilities" })),
  );
  try {
    const heard = await listen(plugin, socket, signal);
    if (heard !== "grpc") return createJsonWire({ ...options, socket, heard });
    socket.destroy();
    return await openGrpcWire(options);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    cancelTimer();
  }
}

/** The library is loaded when it is needed: it takes longer than anything else here. */
async function openGrpcWire(options: OpenWireOptions): Promise<ChannelWire> {
  const { createGrpcWire } = await import("./grpc-wire.ts");
  return createGrpcWire(options);
}

/** What a channel of the first generation said, to be gone on with, or that it is a gRPC server. */
function listen(plugin: string, socket: Socket, signal: AbortSignal): Promise<Buffer | "grpc"> {
  return new Promise((resolve, reject) => {
    let heard = Buffer.alloc(0);
    const finish = (settle: () => void): void => {
      socket.pause();
      socket.off("data", take);
      socket.off("close", close);
      signal.removeEventListener("abort", abort);
      settle();
    };
    const abort = (): void => finish(() => reject(toAbortError(plugin, signal)));
    // A gRPC server that was slow to speak hangs up on the question; any other fails again there, with better words.
    const close = (): void => finish(() => resolve("grpc"));
    const take = (bytes: Buffer): void => {
      heard = Buffer.concat([heard, bytes]);
      if (heard.length < recognisableBytes) return;
      if (isHttp2Start(heard)) return finish(() => resolve("grpc"));
      if (heard.readUInt32BE(0) <= maxDocumentBytes && heard[4] === 0x7b)
        return finish(() => resolve(heard));
      const problem = `the plugin "${plugin}" speaks neither gRPC nor length-prefixed JSON on its socket`;
      finish(() => reject(new PluginError(plugin, "protocol-violated", problem)));
    };
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    socket.on("data", take);
    socket.once("close", close);
  });
}
