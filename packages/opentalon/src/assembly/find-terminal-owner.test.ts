import { join } from "node:path";
import { expect, it } from "vitest";
import { parseConfig } from "../config/load-config.ts";
import { findTerminalOwner } from "./find-terminal-owner.ts";

const bundledChannels = join(import.meta.dirname, "../../../../channels");

function find(channels: Readonly<Record<string, object>>, isTerminal: boolean): string | undefined {
  const enabled = Object.entries(channels).map(
    ([name, entry]) => [name, { enabled: true, ...entry }] as const,
  );
  const text = JSON.stringify({ channels: Object.fromEntries(enabled) });
  const { config } = parseConfig({ text, path: "/x/config.yaml", environment: {} });
  return findTerminalOwner(config, { isTerminal, bundledChannels });
}

it("the terminal goes to a channel program that is alone, or the first where a person sits", () => {
  const own = { plugin: "./talk" };
  const fetched = { github: "me/talk-channel" };
  expect(find({ own }, false)).toBe("own");
  expect(find({ fetched }, false)).toBe("fetched");
  expect(find({ fetched, own }, false)).toBeUndefined();
  expect(find({ fetched, own }, true)).toBe("fetched");
  expect(find({ web: { plugin: "webchat" }, own }, true)).toBe("own");
});

it("the terminal is our own console's, and never that of a platform that comes along", () => {
  const own = { plugin: "./talk" };
  expect(find({ own, console: { plugin: "console" } }, true)).toBeUndefined();
  expect(find({ own, line: { github: "opentalon/console-channel" } }, true)).toBeUndefined();
  expect(find({ slack: { github: "opentalon/slack-channel" }, own }, true)).toBe("own");
  expect(find({ discord: { plugin: "discord" }, own }, true)).toBe("own");
});
