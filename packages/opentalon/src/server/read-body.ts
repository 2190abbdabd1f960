import type { IncomingMessage } from "node:http";

export type BodyOutcome =
  | { readonly kind: "read"; readonly body: Uint8Array }
  | { readonly kind: "too-large" }
  /** All bodies together hold as much memory as they may. */
  | { readonly kind: "too-busy" }
  /** The client went away, or was cut off, before the body was complete. */
  | { readonly kind: "aborted" };

/** Memory that all bodies share, so that many senders cannot fill it together. */
export interface BodyBudget {
  /** False, and nothing taken, when there is not that much left. */
  readonly take: (bytes: number) => boolean;
  readonly giveBack: (bytes: number) => void;
}

export function createBodyBudget(maxBytes: number): BodyBudget {
  let takenBytes = 0;
  return {
    take: (bytes) => {
      if (takenBytes + bytes > maxBytes) return false;
      takenBytes += bytes;
      return true;
    },
    giveBack: (bytes) => {
      takenBytes -= bytes;
    },
  };
}

/**
 * Reads a request's body, at most `maxBytes`; of a longer one nothing more is read. Never rejects. What a body that was
 * `read` took from the budget, its length, is the caller's to give back.
 */
export function readBody(
  incoming: IncomingMessage,
  maxBytes: number,
  budget: BodyBudget,
): Promise<BodyOutcome> {
  const declared = Number(incoming.headers["content-length"] ?? 0);
  if (declared > maxBytes) return Promise.resolve({ kind: "too-large" });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (outcome: BodyOutcome): void => {
      incoming.off("data", onData);
      incoming.off("end", onEnd);
      incoming.off("close", onAbort);
      incoming.off("error", onAbort);
      // A late error of the socket must find a listener.
      incoming.on("error", ignore);
      if (outcome.kind !== "read") budget.giveBack(length);
      resolve(outcome);
    };
    const onData = (chunk: Buffer): void => {
      const isTooLarge = length + chunk.length > maxBytes;
      if (isTooLarge || !budget.take(chunk.length)) {
        incoming.pause();
        settle({ kind: isTooLarge ? "too-large" : "too-busy" });
        return;
      }
      length += chunk.length;
      chunks.push(chunk);
    };
    const onEnd = (): void => {
      const [only] = chunks;
      settle({ kind: "read", body: chunks.length === 1 && only ? only : Buffer.concat(chunks) });
    };
    const onAbort = (): void => settle({ kind: "aborted" });
    incoming.on("data", onData);
    incoming.on("end", onEnd);
    incoming.on("close", onAbort);
    incoming.on("error", onAbort);
  });
}

const ignore = (): void => {};
