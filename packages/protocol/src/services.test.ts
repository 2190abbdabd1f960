import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import {
  channelMessages,
  channelServiceMethods,
  pluginMessages,
  pluginServiceMethods,
  providerMessages,
  providerServiceMethods,
} from "./index.ts";

test("the methods have the paths existing plugins serve", () => {
  expect(Object.values(pluginServiceMethods).map((method) => method.path)).toEqual([
    "/opentalon.plugin.v1.PluginService/Init",
    "/opentalon.plugin.v1.PluginService/Execute",
    "/opentalon.plugin.v1.PluginService/Capabilities",
    "/opentalon.plugin.v1.PluginService/RefreshCapabilities",
    "/opentalon.plugin.v1.PluginService/ExecuteBidi",
  ]);
  expect(Object.values(channelServiceMethods).map((method) => method.path)).toEqual([
    "/opentalon.channel.v1.ChannelService/Capabilities",
    "/opentalon.channel.v1.ChannelService/Configure",
    "/opentalon.channel.v1.ChannelService/Tools",
    "/opentalon.channel.v1.ChannelService/Start",
    "/opentalon.channel.v1.ChannelService/Send",
    "/opentalon.channel.v1.ChannelService/Acknowledge",
  ]);
});

test("the methods of providers have the paths plugins serve", () => {
  expect(Object.values(providerServiceMethods).map((method) => method.path)).toEqual([
    "/opentalon.provider.v1.ProviderService/Init",
    "/opentalon.provider.v1.ProviderService/Models",
    "/opentalon.provider.v1.ProviderService/Complete",
  ]);
  expect(providerServiceMethods.complete).toMatchObject({
    requestStream: false,
    responseStream: true,
  });
});

test("a failure of a provider has the bytes of the contract", () => {
  const value = {
    reason: providerMessages.FailureReason.RATE_LIMITED,
    message: "m",
    retryAfterMs: 5,
    status: 429,
  };
  const event = create(providerMessages.CompleteEventSchema, { kind: { case: "failure", value } });
  // 6: { 1: 1, 2: "m", 3: 5, 4: 429 }
  const hex = "320a" + "0801" + "12016d" + "1805" + "20ad03";
  expect(providerServiceMethods.complete.responseSerialize(event).toString("hex")).toBe(hex);
});

test("streams are marked as streams", () => {
  expect(pluginServiceMethods.executeBidi).toMatchObject({
    requestStream: true,
    responseStream: true,
  });
  expect(channelServiceMethods.start).toMatchObject({ requestStream: false, responseStream: true });
  expect(pluginServiceMethods.execute).toMatchObject({
    requestStream: false,
    responseStream: false,
  });
});

test("a call has the bytes of the contract", () => {
  const request = create(pluginMessages.ToolCallRequestSchema, {
    id: "c1",
    plugin: "p",
    action: "a",
    args: { k: "v" },
  });
  // 1: "c1", 2: "p", 3: "a", 4: { 1: "k", 2: "v" }
  const hex = "0a026331" + "120170" + "1a0161" + "22060a016b120176";
  expect(pluginServiceMethods.execute.requestSerialize(request).toString("hex")).toBe(hex);
  expect(pluginServiceMethods.execute.requestDeserialize(Buffer.from(hex, "hex"))).toEqual(request);
});

test("credential headers have number 6", () => {
  const request = create(pluginMessages.ToolCallRequestSchema, {
    credentialHeaders: { s: { header: "h", value: "v" } },
  });
  expect(pluginServiceMethods.execute.requestSerialize(request).toString("hex")).toBe(
    "320b0a017312060a0168120176",
  );
});

test("a result has the bytes of the contract", () => {
  const result = pluginServiceMethods.execute.responseDeserialize(
    Buffer.from("0a02633112026f6b1a01652202" + "7b7d", "hex"),
  );
  expect(result).toMatchObject({
    callId: "c1",
    content: "ok",
    error: "e",
    structuredContent: "{}",
  });
});

test("capabilities have the bytes of the contract", () => {
  const parameter = "0a0174" + "120164" + "1a0173" + "2001" + "2a027b7d";
  const action = "0a0161" + "120164" + `1a0f${parameter}` + "2001" + "2a0173" + "3001" + "3801";
  const hex = "0a0170" + "120164" + `1a20${action}` + "22017a" + "3801";
  expect(
    pluginServiceMethods.capabilities.responseDeserialize(Buffer.from(hex, "hex")),
  ).toMatchObject({
    name: "p",
    description: "d",
    systemPromptAddition: "z",
    supportsCallbacks: true,
    actions: [
      {
        name: "a",
        description: "d",
        parameters: [{ name: "t", description: "d", type: "s", required: true, schema: "{}" }],
        userOnly: true,
        injectContextArgs: ["s"],
        alwaysInclude: true,
        readOnly: true,
      },
    ],
  });
});

test("an outbound message has the bytes of the contract", () => {
  const file = { name: "n", mimeType: "m", data: Uint8Array.of(1, 2), size: 2n };
  const message = create(channelMessages.OutboundMessageSchema, {
    conversationId: "c",
    threadId: "t",
    content: "x",
    files: [file],
    metadata: { k: "v" },
  });
  const hex = "0a0163" + "120174" + "1a0178" + "220c0a016e12016d1a0201022002" + "2a060a016b120176";
  expect(channelServiceMethods.send.requestSerialize(message).toString("hex")).toBe(hex);
});

test("invalid UTF-8 from a peer is replaced, in fields, lists, maps and messages inside", () => {
  const result = pluginServiceMethods.execute.responseDeserialize(
    Buffer.from("1203" + "61ff62", "hex"),
  );
  expect(result.content).toBe("a�b");
  const call = pluginServiceMethods.execute.requestDeserialize(
    Buffer.from("2206" + "0a01ff" + "1201fe", "hex"),
  );
  expect(call.args).toEqual({ "�": "�" });
  const capabilities = pluginServiceMethods.capabilities.responseDeserialize(
    Buffer.from("1a06" + "0a01ff" + "2a01ff", "hex"),
  );
  expect(capabilities.actions[0]).toMatchObject({ name: "�", injectContextArgs: ["�"] });
  const inbound = channelServiceMethods.start.responseDeserialize(Buffer.from("3203ff6162", "hex"));
  expect(inbound.content).toBe("�ab");
});

test("half a surrogate pair is sent as U+FFFD", () => {
  const request = create(pluginMessages.ToolCallRequestSchema, {
    id: "\ud800",
    args: { text: `${"a".repeat(50)}\udc00` },
  });
  const read = pluginServiceMethods.execute.requestDeserialize(
    pluginServiceMethods.execute.requestSerialize(request),
  );
  expect(read.id).toBe("�");
  expect(read.args["text"]).toBe(`${"a".repeat(50)}�`);
});

test("unknown fields are dropped", () => {
  const result = pluginServiceMethods.execute.responseDeserialize(
    Buffer.from("120161" + "9a0601ff", "hex"),
  );
  expect(result.content).toBe("a");
  expect(result.$unknown).toBeUndefined();
});

test("bytes that are no message are an error", () => {
  expect(() =>
    pluginServiceMethods.execute.responseDeserialize(Buffer.from("12ff", "hex")),
  ).toThrow("premature EOF");
});
