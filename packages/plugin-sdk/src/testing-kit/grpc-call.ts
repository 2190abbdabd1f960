import type { MethodDefinition, ServiceError } from "@grpc/grpc-js";
import { Client, connectivityState, credentials, Metadata, status } from "@grpc/grpc-js";
import { parseMessageLimit } from "@opentalon/protocol";
import type { NoReply, Patience, Reply } from "./reply.ts";

/** Where a plugin listens. */
export interface Address {
  readonly network: "unix" | "tcp";
  readonly address: string;
}

/** A connection of its own: nothing is shared with other clients of this process. */
export function createGrpcClient({ network, address }: Address): Client {
  const target = network === "unix" ? `unix:${address}` : address;
  return new Client(target, credentials.createInsecure(), {
    "grpc.max_receive_message_length": parseMessageLimit(undefined).bytes,
    "grpc.max_send_message_length": -1,
    "grpc.default_authority": "localhost",
    "grpc.enable_http_proxy": 0,
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_retries": 0,
    "grpc.initial_reconnect_backoff_ms": 100,
  });
}

/** What is needed of a method to call it. */
export type CallableMethod<Request, Response> = Pick<
  MethodDefinition<Request, Response>,
  "path" | "requestSerialize" | "responseDeserialize"
>;

/** Asks once. The bytes of the answer are kept, since what a library reads may hide what was wrong with them. */
export function callUnary<Request, Response>(
  client: Client,
  method: CallableMethod<Request, Response>,
  request: Request,
  patience: Patience,
): Promise<Reply<Response>> {
  if (isClosed(client)) return Promise.resolve(closedReply);
  return new Promise((resolve) => {
    let isOver = false;
    const limits = watchPatience(patience, (reply) => {
      settle(reply);
      call.cancel();
    });
    const settle = (reply: Reply<Response>): void => {
      if (isOver) return;
      isOver = true;
      limits.release();
      resolve(reply);
    };
    const call = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      (bytes: Buffer) => bytes,
      request,
      new Metadata(),
      {},
      (error, bytes) => {
        if (error !== null) return settle(toNoReply(error));
        const whole = bytes ?? Buffer.alloc(0);
        try {
          settle({ kind: "reply", value: method.responseDeserialize(whole), bytes: whole });
        } catch (reason) {
          settle({ kind: "lost", words: `gave an answer that cannot be read: ${String(reason)}` });
        }
      },
    );
    limits.begin();
  });
}

/** Whether calls would throw instead of failing. */
export function isClosed(client: Client): boolean {
  return client.getChannel().getConnectivityState(false) === connectivityState.SHUTDOWN;
}

export const closedReply: NoReply = { kind: "lost", words: "is not connected any more" };

/** Tells once when a call has to be given up. */
export function watchPatience(
  { timeoutMs, signal }: Patience,
  giveUp: (reply: NoReply) => void,
): { readonly begin: () => void; readonly release: () => void } {
  const words = `did not answer within ${timeoutMs} ms`;
  let timer: NodeJS.Timeout | undefined;
  const cancel = (): void => giveUp({ kind: "cancelled", words: "was cancelled" });
  return {
    begin: () => {
      timer = setTimeout(() => giveUp({ kind: "timed-out", words }), timeoutMs);
      if (signal?.aborted === true) cancel();
      else signal?.addEventListener("abort", cancel, { once: true });
    },
    release: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", cancel);
    },
  };
}

export function toNoReply(error: unknown): NoReply {
  const { code, details = "" } = error as Partial<ServiceError>;
  if (typeof code !== "number") return { kind: "lost", words: String(error) };
  const words = `gave the status ${status[code] ?? code}${details === "" ? "" : `: ${details.slice(0, 1_000)}`}`;
  return code === status.UNAVAILABLE ? { kind: "lost", words } : { kind: "status", code, words };
}
