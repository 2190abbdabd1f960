import type { Socket } from "node:net";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { parseHostAndPort } from "@opentalon/protocol";
import type { Address } from "./grpc-call.ts";

/** A socket whose errors show as its end. */
export function connectTo({ network, address }: Address): Socket {
  const target = network === "unix" ? undefined : parseHostAndPort(address);
  const socket = connect(target ?? { path: address });
  socket.on("error", () => {});
  return socket;
}

/** Whether somebody listens within `timeoutMs`; a socket may be there a moment before its owner takes connections. */
export async function untilReachable(address: Address, timeoutMs: number): Promise<boolean> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const socket = connectTo(address);
    const isReached = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("close", () => resolve(false));
    });
    socket.destroy();
    if (isReached || performance.now() >= endMs) return isReached;
    await sleep(10);
  }
}
