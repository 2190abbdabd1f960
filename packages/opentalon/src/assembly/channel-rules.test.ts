import { expect, it } from "vitest";
import { parseConfig } from "../config/load-config.ts";
import { createChannelRules, isConsole } from "./channel-rules.ts";

const toRules = (channels: Readonly<Record<string, unknown>>) => {
  const { config } = parseConfig({
    text: JSON.stringify({ channels }),
    path: "/etc/opentalon/config.yaml",
    environment: {},
  });
  return { config, rulesOf: createChannelRules(config) };
};

it("strangers need a code wherever nobody vouches for them, unless the configuration says otherwise", () => {
  const { config, rulesOf } = toRules({
    console: { plugin: "console" },
    terminal: { plugin: "console", access: { policy: "closed" }, rate_limit: { messages: 1 } },
    hook: { plugin: "https://example.com/out" },
    socket: { plugin: "wss://example.com/chat" },
    inbound: { plugin: "ws://inbound" },
    chat: { plugin: "webchat" },
    slack: { plugin: "slack" },
    yaml: { plugin: "./telegram.yaml" },
    binary: { plugin: "./slack-channel" },
    grpc: { plugin: "grpc://host:50051" },
    docker: { plugin: "docker://discord:1" },
    fetched: { github: "opentalon/slack-channel" },
    set: { plugin: "./x", access: { policy: "closed" }, rate_limit: { messages: 0 } },
  });
  const seen = Object.keys(config.channels).map((name) => {
    const { policy, rateLimit } = rulesOf(name);
    return `${name} ${policy} ${rateLimit.messages}`;
  });
  expect(seen).toEqual([
    "console open 0",
    "terminal open 0",
    "hook open 0",
    "socket open 0",
    "inbound open 0",
    "chat open 0",
    "slack pairing 60",
    "yaml pairing 60",
    "binary pairing 60",
    "grpc pairing 60",
    "docker pairing 60",
    "fetched pairing 60",
    "set closed 0",
  ]);
  expect(rulesOf("nowhere").policy).toBe("closed");
  expect(["console", "hook", "nowhere"].map((name) => isConsole(config, name))).toEqual([
    true,
    false,
    false,
  ]);
});
