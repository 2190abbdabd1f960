import * as grpc from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { pluginMessages } from "@opentalon/protocol";
import type { CallbackAnswer, CallbackValue, CallOther } from "./define-callbacks.ts";
import type { ActionOutcome } from "./run-action.ts";

/** One call, as it came over the stream. */
export type BidiRun = (
  request: pluginMessages.ToolCallRequest,
  call: { readonly signal: AbortSignal; readonly call: CallOther },
) => Promise<ActionOutcome>;

type Stream = grpc.ServerDuplexStream<pluginMessages.HostMessage, pluginMessages.PluginMessage>;
type Response = pluginMessages.CallbackResponse;

/**
 * Serves one call that may have other actions run: takes the call, sends requests, hands out their answers by identifier,
 * and ends the stream with the result.
 */
export function serveCallWithCallbacks(stream: Stream, run: BidiRun): void {
  const cancelled = new AbortController();
  const waiting = new Map<string, PromiseWithResolvers<Response>>();
  let hasCall = false;
  let count = 0;

  const end = (reason: Error): void => {
    if (cancelled.signal.aborted) return;
    cancelled.abort(reason);
    for (const { reject } of waiting.values()) reject(reason);
    waiting.clear();
  };
  const refuse = (details: string): void => {
    end(new Error(details));
    stream.emit("error", { code: grpc.status.INVALID_ARGUMENT, details });
  };

  const writeOne = (message: pluginMessages.PluginMessage): Promise<void> =>
    new Promise((written) => {
      stream.write(message, () => written());
    });
  let writing = Promise.resolve();
  const write = (payload: pluginMessages.PluginMessage["payload"]): Promise<void> => {
    const message = create(pluginMessages.PluginMessageSchema, { payload });
    writing = writing.then(() => (cancelled.signal.aborted ? undefined : writeOne(message)));
    return writing;
  };

  const call: CallOther = async (plugin, action, args = {}) => {
    cancelled.signal.throwIfAborted();
    count += 1;
    const id = String(count);
    const answer = Promise.withResolvers<Response>();
    // It may be given up on while the request is still being written.
    answer.promise.catch(() => undefined);
    waiting.set(id, answer);
    const value = create(pluginMessages.CallbackRequestSchema, {
      id,
      plugin,
      action,
      args: encode(args),
    });
    await write({ case: "callbackRequest", value });
    return toAnswer(await answer.promise);
  };

  const answerCall = async (request: pluginMessages.ToolCallRequest): Promise<void> => {
    const outcome = await run(request, { signal: cancelled.signal, call });
    const value = create(pluginMessages.ToolResultResponseSchema, {
      callId: request.id,
      ...outcome,
    });
    await write({ case: "result", value });
    if (!cancelled.signal.aborted) stream.end();
  };

  stream.on("data", ({ payload }: pluginMessages.HostMessage) => {
    switch (payload.case) {
      case "call":
        if (hasCall) return refuse("there is one call on a stream, and this one has had it");
        hasCall = true;
        return void answerCall(payload.value);
      case "callbackResponse":
        waiting.get(payload.value.id)?.resolve(payload.value);
        waiting.delete(payload.value.id);
        return;
      case undefined:
        return refuse("a message has nothing in it");
    }
  });
  stream.on("cancelled", () => end(new Error("the caller gave up")));
  stream.on("error", (error: Error) => end(error));
  stream.on("end", () => {
    // A host that has said all it has to say still takes the result.
    if (!hasCall) refuse("the stream ended without a call");
  });
}

/** @throws Error with the words of the host or the other plugin. */
function toAnswer({ content, error, structuredContent }: Response): CallbackAnswer {
  if (error !== "") throw new Error(error);
  return { content, structured: parseJson(structuredContent) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Everything is text on the wire; what is `undefined` or `null` is left out. */
function encode(args: Readonly<Record<string, CallbackValue>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(args).flatMap(([name, value]) => {
      if (value === undefined || value === null) return [];
      return [[name, typeof value === "string" ? value : JSON.stringify(value)]];
    }),
  );
}
