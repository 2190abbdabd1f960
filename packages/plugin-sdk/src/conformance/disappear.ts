import { connect } from "node:http2";
import { once } from "node:events";
import type { Address } from "../testing-kit/grpc-call.ts";
import { connectTo } from "../testing-kit/connect-to.ts";
import { within } from "../testing-kit/patience.ts";

/** Sends a gRPC request and drops the connection `afterMs` later, without a word. */
export async function disappearMidCall(
  address: Address,
  path: string,
  message: Uint8Array,
  afterMs: number,
): Promise<void> {
  const socket = connectTo(address);
  const session = connect("http://localhost", { createConnection: () => socket });
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => {});
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
  await within(
    1_000,
    once(stream, "ready").catch(() => undefined),
  );
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  const closed = new Promise<void>((resolve) => {
    session.once("close", () => resolve());
  });
  socket.destroy();
  session.destroy();
  await within(1_000, closed);
}
