export * from "./generation-zero.ts";
export * from "./handshake.ts";
export * from "./length-prefixed-json.ts";
export * from "./message-limit.ts";
export * from "./services.ts";
export * from "./wire-generation.ts";
export * as channelMessages from "./gen/opentalon/channel/v1/channel_pb.ts";
export * as pluginMessages from "./gen/opentalon/plugin/v1/plugin_pb.ts";
export * as providerMessages from "./gen/opentalon/provider/v1/provider_pb.ts";
