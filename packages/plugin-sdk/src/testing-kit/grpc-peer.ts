import type { Client } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { pluginMessages as messages, pluginServiceMethods as methods } from "@opentalon/protocol";
import type { Address } from "./grpc-call.ts";
import {
  callUnary,
  closedReply,
  createGrpcClient,
  isClosed,
  toNoReply,
  watchPatience,
} from "./grpc-call.ts";
import type { Reply } from "./reply.ts";
import type { ToolPeer, WireAnswer, WireCall, WireResult } from "./tool-peer.ts";

/** Asks a tool plugin over gRPC. */
export function createGrpcPeer(address: Address): ToolPeer {
  const client = createGrpcClient(address);
  return {
    wire: "grpc",
    init: (configJson, patience) =>
      callUnary(
        client,
        methods.init,
        create(messages.PluginInitRequestSchema, { configJson }),
        patience,
      ),
    capabilities: (patience) =>
      callUnary(client, methods.capabilities, create(EmptySchema), patience),
    refresh: (patience) =>
      callUnary(client, methods.refreshCapabilities, create(EmptySchema), patience),
    call: (call) => callUnary(client, methods.execute, toRequest(call), call),
    callBidi: (call) => callBidi(client, call),
    close: () => client.close(),
  };
}

export function toRequest(call: WireCall): messages.ToolCallRequest {
  const { id, plugin, action, args, credentialHeaders = {} } = call;
  return create(messages.ToolCallRequestSchema, {
    id,
    plugin,
    action,
    args: { ...args },
    credentialHeaders: { ...credentialHeaders },
  });
}

function callBidi(client: Client, call: WireCall): Promise<Reply<WireAnswer>> {
  if (isClosed(client)) return Promise.resolve(closedReply);
  const { path, requestSerialize, responseDeserialize } = methods.executeBidi;
  return new Promise((resolve) => {
    const stream = client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      new Metadata(),
    );
    let isOver = false;
    const settle = (reply: Reply<WireAnswer>): void => {
      if (isOver) return;
      isOver = true;
      limits.release();
      resolve(reply);
      stream.cancel();
    };
    const limits = watchPatience(call, settle);
    limits.begin();
    stream.on("data", ({ payload }: messages.PluginMessage) => {
      if (isOver) return;
      if (payload.case === "result") {
        settle({ kind: "reply", value: payload.value, bytes: Buffer.alloc(0) });
      } else if (payload.case === "callbackRequest") {
        const { id } = payload.value;
        void answerCallback(call, payload.value).then((result) => {
          if (isOver) return;
          const value = create(messages.CallbackResponseSchema, { id, ...result });
          stream.write(
            create(messages.HostMessageSchema, { payload: { case: "callbackResponse", value } }),
          );
        });
      }
    });
    stream.on("error", (error: unknown) => settle(toNoReply(error)));
    stream.on("end", () => settle({ kind: "lost", words: "ended the stream without a result" }));
    stream.write(
      create(messages.HostMessageSchema, { payload: { case: "call", value: toRequest(call) } }),
    );
  });
}

async function answerCallback(
  { onCallback }: WireCall,
  request: messages.CallbackRequest,
): Promise<WireResult> {
  if (onCallback !== undefined) return onCallback(request);
  const error = `${request.plugin}__${request.action}: nobody answers callbacks here`;
  return { content: "", error, structuredContent: "" };
}
