import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toChannelAddress } from "./channel-address.ts";

const bundledChannels = join(import.meta.dirname, "../../../../channels");

describe("the address of a channel", () => {
  it("is a definition or a program that comes with OpenTalon, for a bare name", () => {
    for (const plugin of readdirSync(bundledChannels)) {
      const address = toChannelAddress({ plugin, github: "" }, bundledChannels);
      const file = existsSync(join(bundledChannels, plugin, "src"))
        ? `${plugin}-channel`
        : "channel.yaml";
      expect(address).toBe(join(bundledChannels, plugin, file));
    }
    const github = "opentalon/slack-channel";
    expect(toChannelAddress({ plugin: "", github }, bundledChannels)).toMatch(
      /slack\/channel\.yaml$/,
    );
  });

  it("is what is written there otherwise", () => {
    for (const plugin of [
      "console",
      "./slack",
      "/opt/channel.yaml",
      "grpc://host:1",
      "nobody-knows",
      "../slack",
    ]) {
      expect(toChannelAddress({ plugin, github: "" }, bundledChannels)).toBe(plugin);
    }
    const github = "opentalon/console-channel";
    expect(toChannelAddress({ plugin: "", github }, bundledChannels)).toBe("console");
    expect(() => toChannelAddress({ plugin: "", github: "a/b" }, bundledChannels)).toThrow(
      /not supported yet/,
    );
  });
});
