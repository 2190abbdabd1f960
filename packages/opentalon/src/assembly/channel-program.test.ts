import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFolder } from "../plugins/sources/testing/git-repository.ts";
import {
  type ChannelProgram,
  findChannelProgram,
  suggestBundledChannel,
  toBundledChannelName,
} from "./channel-program.ts";

const bundledChannels = join(import.meta.dirname, "../../../../channels");

function find(entry: { plugin?: string; github?: string; ref?: string }): ChannelProgram {
  return findChannelProgram("mine", { plugin: "", github: "", ref: "", ...entry }, bundledChannels);
}

describe("what an entry below `channels:` leads to", () => {
  it("is a definition or a program that comes with OpenTalon, for a bare name", () => {
    for (const plugin of readdirSync(bundledChannels)) {
      const file = existsSync(join(bundledChannels, plugin, "src"))
        ? `${plugin}-channel`
        : "channel.yaml";
      const address = join(bundledChannels, plugin, file);
      expect(find({ plugin })).toEqual({ kind: "address", address });
    }
  });

  it("is what comes with OpenTalon for the repositories of the Go project", () => {
    expect(find({ github: "opentalon/slack-channel", ref: "v1" })).toEqual({
      kind: "address",
      address: join(bundledChannels, "slack", "channel.yaml"),
    });
    expect(find({ github: "opentalon/console-channel" })).toEqual({
      kind: "address",
      address: "console",
    });
    expect(toBundledChannelName("opentalon/slack-channel", bundledChannels)).toBe("slack");
    expect(toBundledChannelName("opentalon/console-channel", bundledChannels)).toBe("console");
    expect(toBundledChannelName("me/slack-channel", bundledChannels)).toBeUndefined();
  });

  it("may have been meant to be one that comes along, which is said", () => {
    expect(suggestBundledChannel("discrod", bundledChannels)).toBe("discord");
    expect(suggestBundledChannel("web-chat", bundledChannels)).toBe("webchat");
    for (const right of ["discord", "console", "./discrod", "nobody-knows", ""])
      expect(suggestBundledChannel(right, bundledChannels)).toBeUndefined();
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
      expect(find({ plugin })).toEqual({ kind: "address", address: plugin });
    }
  });

  it("is built from a repository, or from a folder", () => {
    expect(find({ github: "a/b", ref: "v1" })).toEqual({
      kind: "built",
      wanted: {
        name: "mine",
        source: { kind: "git", repository: "a/b", reference: "v1" },
        bundle: "",
      },
    });
    const path = createFolder();
    const folder = { kind: "folder", path };
    expect(find({ plugin: path })).toMatchObject({ kind: "built", wanted: { source: folder } });
    expect(find({ github: path })).toMatchObject({ kind: "built", wanted: { source: folder } });
    mkdirSync(join(path, ".git"));
    expect(find({ github: path })).toMatchObject({
      kind: "built",
      wanted: { source: { kind: "git", repository: path } },
    });
  });
});
