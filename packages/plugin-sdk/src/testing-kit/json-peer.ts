import type { Socket } from "node:net";
import { create } from "@bufbuild/protobuf";
import {
  createDocumentDecoder,
  encodeDocument,
  parseGenerationZeroResponse,
  pluginMessages as messages,
} from "@opentalon/protocol";
import type { GenerationZeroRequest, GenerationZeroResponse } from "@opentalon/protocol";
import { connectTo } from "./connect-to.ts";
import type { Address } from "./grpc-call.ts";
import { watchPatience } from "./grpc-call.ts";
import type { NoReply, Patience, Reply } from "./reply.ts";
import type { ToolPeer } from "./tool-peer.ts";

/** Asks a tool plugin of the first wire generation; each question has a connection of its own. */
export function createJsonPeer(address: Address): ToolPeer {
  const sockets = new Set<Socket>();
  const ask = async (
    request: GenerationZeroRequest,
    patience: Patience,
  ): Promise<Reply<GenerationZeroResponse>> => {
    const socket = connectTo(address);
    sockets.add(socket);
    try {
      return await askOn(socket, request, patience);
    } finally {
      sockets.delete(socket);
      socket.destroy();
    }
  };
  const missing: NoReply = {
    kind: "status",
    code: 12,
    words: "has no such method on the first wire generation",
  };
  const capabilities = async (patience: Patience): Promise<Reply<messages.PluginCapabilities>> => {
    const reply = await ask({ method: "capabilities" }, patience);
    if (reply.kind !== "reply") return reply;
    const told = reply.value.capabilities;
    if (told === undefined) return { kind: "lost", words: "did not say what it can do" };
    const actions = told.actions.map(({ contextArguments, parameters, ...action }) => ({
      ...action,
      parameters: [...parameters],
      injectContextArgs: [...contextArguments],
    }));
    const value = create(messages.PluginCapabilitiesSchema, { ...told, actions });
    return { kind: "reply", value, bytes: reply.bytes };
  };
  return {
    wire: "json",
    init: async () => ({ kind: "reply", value: undefined, bytes: Buffer.alloc(0) }),
    capabilities,
    refresh: async () => missing,
    call: (call) => {
      const { id, plugin, action, args } = call;
      return ask({ method: "execute", id, plugin, action, args }, call);
    },
    callBidi: async () => missing,
    close: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** One question and the next document that comes, on a socket that goes on living. */
export function askOn(
  socket: Socket,
  request: unknown,
  patience: Patience,
): Promise<Reply<GenerationZeroResponse>> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const decoder = createDocumentDecoder();
    const settle = (reply: Reply<GenerationZeroResponse>): void => {
      limits.release();
      socket.off("data", take);
      socket.off("close", close);
      resolve(reply);
    };
    const take = (bytes: Buffer): void => {
      parts.push(bytes);
      try {
        const [document] = decoder.push(bytes);
        if (document === undefined) return;
        const value = parseGenerationZeroResponse(document);
        settle({ kind: "reply", value, bytes: Buffer.concat(parts).subarray(4) });
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error);
        settle({ kind: "lost", words: `gave an answer that cannot be read: ${words}` });
      }
    };
    const close = (): void => settle({ kind: "lost", words: "closed the connection" });
    const limits = watchPatience(patience, settle);
    limits.begin();
    socket.on("data", take);
    socket.once("close", close);
    socket.write(encodeDocument(request));
  });
}
