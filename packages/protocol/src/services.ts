import type { MethodDefinition } from "@grpc/grpc-js";
import type {
  DescField,
  DescMessage,
  DescMethod,
  DescService,
  MessageShape,
} from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ChannelService } from "./gen/opentalon/channel/v1/channel_pb.ts";
import { PluginService } from "./gen/opentalon/plugin/v1/plugin_pb.ts";
import { ProviderService } from "./gen/opentalon/provider/v1/provider_pb.ts";

/** The methods of a generated service, in the form both ends of `@grpc/grpc-js` take. */
export type ServiceMethods<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]: Service["method"][Name] extends {
    input: infer Input extends DescMessage;
    output: infer Output extends DescMessage;
  }
    ? MethodDefinition<MessageShape<Input>, MessageShape<Output>>
    : never;
};

/** Tool plugins over gRPC, as `opentalon.plugin.v1` describes them. */
export const pluginServiceMethods = toServiceMethods(PluginService);

/** Channels over gRPC, as `opentalon.channel.v1` describes them. */
export const channelServiceMethods = toServiceMethods(ChannelService);

/** Provider plugins over gRPC, as `opentalon.provider.v1` describes them. */
export const providerServiceMethods = toServiceMethods(ProviderService);

function toServiceMethods<Service extends DescService>(service: Service): ServiceMethods<Service> {
  const methods = service.methods.map((method) => [method.localName, toMethodDefinition(method)]);
  return Object.fromEntries(methods) as ServiceMethods<Service>;
}

function toMethodDefinition(
  method: DescMethod,
): MethodDefinition<MessageShape<DescMessage>, MessageShape<DescMessage>> {
  const request = createSerialization(method.input);
  const response = createSerialization(method.output);
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    originalName: method.localName,
    requestStream:
      method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
    responseStream:
      method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
    requestSerialize: request.serialize,
    requestDeserialize: request.deserialize,
    responseSerialize: response.serialize,
    responseDeserialize: response.deserialize,
  };
}

function createSerialization(schema: DescMessage): {
  readonly serialize: (message: MessageShape<DescMessage>) => Buffer;
  readonly deserialize: (bytes: Buffer) => MessageShape<DescMessage>;
} {
  acceptInvalidUtf8(schema, new Set());
  return {
    serialize: (message) => {
      const bytes = toBinary(schema, message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    // Unknown fields would be kept in memory and sent on; nobody here forwards messages.
    deserialize: (bytes) => fromBinary(schema, bytes, { readUnknownFields: false }),
  };
}

/**
 * Makes reading replace invalid UTF-8 by U+FFFD instead of throwing: one wrong byte in a tool's output must not cost
 * the whole answer. The generated descriptors follow proto3, which rejects; the reader asks each field the first time
 * its message is read, so this has to happen before.
 */
function acceptInvalidUtf8(schema: DescMessage, seen: Set<DescMessage>): void {
  if (seen.has(schema)) return;
  seen.add(schema);
  for (const field of schema.fields) {
    (field as { -readonly [Key in keyof DescField]: DescField[Key] }).utf8Validation = false;
    if (field.message !== undefined) acceptInvalidUtf8(field.message, seen);
  }
}
