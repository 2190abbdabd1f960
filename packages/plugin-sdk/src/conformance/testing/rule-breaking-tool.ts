import * as grpc from "@grpc/grpc-js";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { pluginMessages as messages, pluginServiceMethods } from "@opentalon/protocol";

export type Breaks = (rule: string) => boolean;

export interface BreakingService {
  readonly methods: grpc.ServiceDefinition;
  readonly handlers: grpc.UntypedServiceImplementation;
}

type Answer = grpc.sendUnaryData<unknown>;
type Unary<Request> = grpc.ServerUnaryCall<Request, unknown>;

/** A tool plugin with one harmless action, `peek`, that keeps every rule but what `breaks` says. */
export function toolHandlers(breaks: Breaks): BreakingService {
  // Bytes go out as they are, and requests are looked at before a library mends them.
  const methods = Object.fromEntries(
    Object.entries(pluginServiceMethods).map(([name, method]) => [
      name,
      { ...method, responseSerialize: (value: Buffer) => value },
    ]),
  );
  const { execute } = pluginServiceMethods;
  methods["execute"] = {
    ...execute,
    responseSerialize: (value: Buffer) => value,
    requestDeserialize: (bytes: Buffer) => {
      if (breaks("invalid-utf8") && bytes.includes(0xff)) process.exit(9);
      return execute.requestDeserialize(bytes);
    },
  } as never;
  return { methods, handlers: createHandlers(breaks) };
}

const empty = Buffer.from(toBinary(EmptySchema, create(EmptySchema)));

function createHandlers(breaks: Breaks): grpc.UntypedServiceImplementation {
  const running: string[] = [];
  return {
    init: ({ request }: Unary<messages.PluginInitRequest>, answer: Answer) => {
      const isWrong = request.configJson === "[]";
      if (!isWrong && breaks("init"))
        return answer({ code: grpc.status.INTERNAL, details: "no settings" });
      if (isWrong && breaks("refuses-wrong-configuration"))
        return answer({ code: grpc.status.UNKNOWN, details: "TypeError" });
      if (isWrong) return answer({ code: grpc.status.INVALID_ARGUMENT, details: "not an object" });
      answer(null, empty);
    },
    capabilities: (_call: unknown, answer: Answer) => {
      if (!breaks("capabilities")) answer(null, toCapabilities(breaks));
    },
    refreshCapabilities: (_call: unknown, answer: Answer) =>
      breaks("refresh")
        ? answer({ code: grpc.status.INTERNAL, details: "not now" })
        : answer(null, toCapabilities(breaks)),
    execute: (call: Unary<messages.ToolCallRequest>, answer: Answer) => {
      const { id, action, args } = call.request;
      let isAnswered = false;
      // Also said of calls that have ended.
      call.on("cancelled", () => {
        if (!isAnswered && breaks(id === "vanished" ? "vanished-client" : "cancelled-calls"))
          process.exit(9);
      });
      if (breaks("unknown-arguments") && Object.keys(args).some((name) => name.startsWith("open")))
        return;
      running.push(id);
      // Long enough for a caller to give up meanwhile.
      setTimeout(() => {
        isAnswered = true;
        const other = running.find((each) => each !== id);
        running.splice(running.indexOf(id), 1);
        const callId = other !== undefined && breaks("parallel-calls") ? other : id;
        respond({ breaks, action, callId, answer });
      }, 10);
    },
    executeBidi: (call: grpc.ServerDuplexStream<unknown, unknown>) => {
      if (!breaks("callbacks"))
        call.emit("error", { code: grpc.status.UNIMPLEMENTED, details: "no callbacks" });
    },
  };
}

function respond(call: {
  readonly breaks: Breaks;
  readonly action: string;
  readonly callId: string;
  readonly answer: Answer;
}): void {
  const { breaks, action, callId, answer } = call;
  const send = (result: MessageInitShape<typeof messages.ToolResultResponseSchema>): void => {
    const id = breaks("call-id") ? "another" : callId;
    const message = create(messages.ToolResultResponseSchema, result);
    message.callId = id;
    answer(null, Buffer.from(toBinary(messages.ToolResultResponseSchema, message)));
  };
  if (action !== "peek") {
    return breaks("unknown-action") ? send({ content: "done" }) : send({ error: "no such action" });
  }
  if (breaks("calls")) return answer({ code: grpc.status.INTERNAL, details: "cannot look" });
  if (breaks("results")) return send({ content: "x".repeat(70_000), structuredContent: "{" });
  send({ content: "something", structuredContent: "{}" });
}

function toCapabilities(breaks: Breaks): Buffer {
  const parameter = {
    name: "where",
    description: breaks("descriptions") ? "" : "Where to look",
    type: breaks("parameter-types") ? "text" : "string",
    schema: breaks("schemas-parse")
      ? '{"type":'
      : breaks("schemas-usable")
        ? '{"$ref":"#/$defs/place"}'
        : "",
  };
  const action = {
    name: breaks("names") ? "peek now" : "peek",
    description: "Looks",
    readOnly: true,
    parameters: breaks("sizes")
      ? Array.from({ length: 101 }, (_each, index) => ({ ...parameter, name: `where${index}` }))
      : [parameter],
  };
  const message = create(messages.PluginCapabilitiesSchema, {
    name: "fake",
    description: "Keeps the rules<>",
    actions: breaks("has-actions") ? [] : breaks("unique-names") ? [action, action] : [action],
  });
  const bytes = Buffer.from(toBinary(messages.PluginCapabilitiesSchema, message));
  if (breaks("valid-utf8")) bytes.fill(0xff, bytes.indexOf("<>"), bytes.indexOf("<>") + 2);
  return bytes;
}
