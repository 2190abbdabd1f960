import { describe, expect, it } from "vitest";
import { parseChannelAddress } from "./parse-channel-address.ts";

describe("parseChannelAddress", () => {
  it.each([
    ["console", { kind: "console" }],
    ["Console", { kind: "console" }],
    ["./my-channel", { kind: "binary", path: "./my-channel" }],
    ["/opt/Channel", { kind: "binary", path: "/opt/Channel" }],
    ["ftp://host", { kind: "binary", path: "ftp://host" }],
    ["GRPC://host:50051", { kind: "grpc", url: "GRPC://host:50051" }],
    ["docker://Acme/image:1", { kind: "docker", image: "Acme/image:1" }],
    ["slack/channel.yaml", { kind: "yaml", path: "slack/channel.yaml" }],
    ["slack/channel.YML", { kind: "yaml", path: "slack/channel.YML" }],
    ["http://host/a?b=c", { kind: "webhook", url: new URL("http://host/a?b=c") }],
    ["HTTPS://host/channel.yaml", { kind: "webhook", url: new URL("https://host/channel.yaml") }],
    ["ws://host/ws", { kind: "websocket", url: new URL("ws://host/ws") }],
    [" wss://host/ws ", { kind: "websocket", url: new URL("wss://host/ws") }],
  ])("reads %s", (plugin, address) => {
    expect(parseChannelAddress(plugin)).toEqual(address);
  });

  it.each(["", "  ", "grpc://", "docker://", "http://", "https://:80:80/"])(
    "refuses %j",
    (plugin) => {
      expect(() => parseChannelAddress(plugin)).toThrow(
        expect.objectContaining({ code: "CHANNEL_MISCONFIGURED" }),
      );
    },
  );

  it("does not repeat a password in its error", () => {
    expect(() => parseChannelAddress("https://user:hunter2@ho st/")).toThrow(/^(?!.*hunter2)/);
  });
});
