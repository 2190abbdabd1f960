import type { Client } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import type { providerMessages as messages } from "@opentalon/protocol";
import { providerServiceMethods as methods } from "@opentalon/protocol";
import { closedReply, isClosed, toNoReply, watchPatience } from "./grpc-call.ts";
import type { Patience, Reply } from "./reply.ts";

export type CompleteEventKind = messages.CompleteEvent["kind"];

/** Most events kept of one answer; what comes after them is a flood. */
const maxEvents = 100_000;

/** Asks a model once and collects its answer, up to the end of the stream. */
export function callComplete(
  client: Client,
  request: messages.CompleteRequest,
  patience: Patience & { readonly onEvent?: (event: CompleteEventKind) => void },
): Promise<Reply<readonly CompleteEventKind[]>> {
  if (isClosed(client)) return Promise.resolve(closedReply);
  const { path, requestSerialize, responseDeserialize } = methods.complete;
  return new Promise((resolve) => {
    const stream = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      new Metadata(),
    );
    const events: CompleteEventKind[] = [];
    let isOver = false;
    const settle = (reply: Reply<readonly CompleteEventKind[]>): void => {
      if (isOver) return;
      isOver = true;
      limits.release();
      resolve(reply);
      stream.cancel();
    };
    const limits = watchPatience(patience, settle);
    limits.begin();
    stream.on("data", ({ kind }: messages.CompleteEvent) => {
      if (isOver) return;
      events.push(kind);
      patience.onEvent?.(kind);
      if (events.length >= maxEvents)
        settle({ kind: "lost", words: `sent more than ${maxEvents} pieces of an answer` });
    });
    stream.on("error", (error: unknown) => settle(toNoReply(error)));
    stream.on("end", () => settle({ kind: "reply", value: events, bytes: Buffer.alloc(0) }));
  });
}
