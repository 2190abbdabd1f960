import * as grpc from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { channelMessages as messages, channelServiceMethods as methods } from "@opentalon/protocol";
import type { Breaks, BreakingService } from "./rule-breaking-tool.ts";

type Answer = grpc.sendUnaryData<unknown>;

/** A channel that keeps every rule but what `breaks` says. */
export function channelHandlers(breaks: Breaks): BreakingService {
  const handlers = {
    capabilities: (_call: unknown, answer: Answer) =>
      answer(
        null,
        create(messages.ChannelCapabilitiesSchema, {
          id: breaks("channel-capabilities") ? "" : "fake",
          name: "Fake",
          responseFormat: breaks("response-format") ? "runes" : "markdown",
        }),
      ),
    configure: (_call: unknown, answer: Answer) =>
      breaks("configure")
        ? answer({ code: grpc.status.INTERNAL, details: "no settings" })
        : answer(null, create(messages.ConfigureResponseSchema)),
    tools: (_call: unknown, answer: Answer) => {
      const tool = {
        action: "react",
        method: "POST",
        url: breaks("tools") ? "" : "https://a.invalid",
      };
      answer(null, create(messages.ToolsResponseSchema, { tools: [tool] }));
    },
    start: (call: grpc.ServerWritableStream<unknown, unknown>) => {
      if (breaks("start"))
        call.emit("error", { code: grpc.status.INTERNAL, details: "the token is wrong" });
      call.on("cancelled", () => {
        if (breaks("start-again")) process.exit(9);
      });
    },
    send: (call: grpc.ServerUnaryCall<messages.OutboundMessage, unknown>, answer: Answer) => {
      const isTyping = call.request.metadata["_typing"] === "true";
      if (isTyping && breaks("typing"))
        return answer({ code: grpc.status.UNKNOWN, details: "an empty message" });
      if (!isTyping && breaks("send")) return;
      answer(null, create(messages.SendResponseSchema));
    },
  };
  return { methods, handlers };
}
