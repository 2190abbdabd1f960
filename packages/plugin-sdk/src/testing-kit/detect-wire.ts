import {
  encodeDocument,
  isHttp2Start,
  maxDocumentBytes,
  recognisableBytes,
} from "@opentalon/protocol";
import { connectTo, untilReachable } from "./connect-to.ts";
import type { Address } from "./grpc-call.ts";

/** How long a gRPC server may take to speak first. They need one or two milliseconds. */
const greetingMs = 300;

/**
 * Finds out what a socket speaks by listening: a gRPC server speaks first, one of the first generation waits to be asked.
 * `undefined` when it is neither, or falls silent for `timeoutMs`.
 */
export async function detectWire(
  address: Address,
  timeoutMs: number,
): Promise<"grpc" | "json" | undefined> {
  const endMs = performance.now() + timeoutMs;
  if (!(await untilReachable(address, timeoutMs))) return undefined;
  return listen(address, Math.max(greetingMs * 2, endMs - performance.now()));
}

function listen(address: Address, timeoutMs: number): Promise<"grpc" | "json" | undefined> {
  return new Promise((resolve) => {
    const socket = connectTo(address);
    let heard = Buffer.alloc(0);
    const settle = (found: "grpc" | "json" | undefined): void => {
      clearTimeout(question);
      clearTimeout(end);
      socket.destroy();
      resolve(found);
    };
    const question = setTimeout(
      () => void socket.write(encodeDocument({ method: "capabilities" })),
      greetingMs,
    );
    const end = setTimeout(() => settle(undefined), timeoutMs);
    socket.on("data", (bytes: Buffer) => {
      heard = Buffer.concat([heard, bytes.subarray(0, recognisableBytes)]);
      if (heard.length < recognisableBytes) return;
      if (isHttp2Start(heard)) settle("grpc");
      else
        settle(heard.readUInt32BE(0) <= maxDocumentBytes && heard[4] === 0x7b ? "json" : undefined);
    });
    // It did not like the question: a gRPC server that had not spoken yet.
    socket.once("close", () => settle("grpc"));
  });
}
