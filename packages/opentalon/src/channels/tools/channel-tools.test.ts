import { describe, expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { ChannelTool } from "../../domain/channel.ts";
import type { RawToolResult } from "../../domain/plugin.ts";
import { startStubServer, type StubAnswer, type StubServer } from "../yaml/testing/stub-server.ts";
import { type ChannelTools, createChannelTools } from "./channel-tools.ts";

const post: ChannelTool = {
  plugin: "chat",
  description: "Reactions and rooms",
  action: "react",
  actionDescription: "Adds a reaction",
  method: "POST",
  url: "https://chat.invalid/reactions/{{args.room}}?limit={{args.limit}}&by={{env.NAME}}",
  headers: { Authorization: "Bearer {{env.CHAT_TOKEN}}" },
  body: '{"emoji":"{{args.emoji}}","note":"{{args.note}}"}',
  requiredEnvironment: ["CHAT_TOKEN"],
  parameters: [
    { name: "room", description: "Which room", required: true },
    { name: "emoji", description: "", required: true },
    { name: "note", description: "", required: false },
    { name: "limit", description: "", required: false },
  ],
};

interface Bench {
  readonly tools: ChannelTools;
  readonly platform: StubServer;
  readonly run: (args: Record<string, string>, plugin?: string) => Promise<RawToolResult>;
}

async function open(
  more: Partial<ChannelTool> = {},
  answer: StubAnswer = { json: { ok: true } },
  environment: Record<string, string> = { CHAT_TOKEN: "token-of-the-chat", NAME: "Ann" },
): Promise<Bench> {
  const platform = await startStubServer({ handle: () => answer });
  onTestFinished(() => platform[Symbol.asyncDispose]());
  const tools = createChannelTools({ clock: systemClock, log: createSilentLog() });
  onTestFinished(tools.close);
  const tool = { ...post, url: post.url.replace("https://chat.invalid", platform.url), ...more };
  tools.offer("one", [tool], (name) => environment[name]);
  return {
    tools,
    platform,
    run: (args, plugin = "chat") =>
      tools.execute(plugin, {
        callId: "c1",
        action: "react",
        arguments: args,
        signal: new AbortController().signal,
        timeoutMs: 5_000,
      }),
  };
}

describe("tools of channels", () => {
  it("are told of as tools of the name they were given", async () => {
    const { tools } = await open();
    expect(tools.tools()).toEqual([
      expect.objectContaining({ plugin: "chat", action: "react", readOnly: false }),
    ]);
    expect(tools.tools()[0]?.parameters.map(({ name, required }) => [name, required])).toEqual([
      ["room", true],
      ["emoji", true],
      ["note", false],
      ["limit", false],
    ]);
  });

  it("make their request, arguments escaped by where they stand, and leave out what was not given", async () => {
    const { run, platform } = await open();
    const result = await run({ room: "a/b?c", emoji: '","admin":"yes' });
    expect(result).toEqual({ content: '{"ok":true}', error: "", structuredContent: "" });
    const [request] = platform.requests;
    expect(request?.target).toBe("/reactions/a%2Fb%3Fc?by=Ann");
    expect(request?.headers["authorization"]).toBe("Bearer token-of-the-chat");
    expect(JSON.parse(String(request?.body))).toEqual({ emoji: '","admin":"yes' });
  });

  it("say what the operator has to set first, and see nothing else of the environment", async () => {
    const { run, platform } = await open({}, undefined, { NAME: "Ann" });
    expect((await run({ room: "r", emoji: "e" })).error).toContain("CHAT_TOKEN");
    expect(platform.requests).toHaveLength(0);
  });

  it("answer a refusal with its status, and never with a credential it repeats", async () => {
    const body = { error: "no such room for token-of-the-chat" };
    const { run } = await open({}, { status: 404, json: body });
    const { error } = await run({ room: "r", emoji: "e" });
    expect(error).toMatch(/^HTTP 404: .*no such room/);
    expect(error).not.toContain("token-of-the-chat");
  });

  it("go nowhere a model says", async () => {
    const { run } = await open({ url: "{{args.room}}/x" });
    expect((await run({ room: "http://127.0.0.1:1", emoji: "" })).error).toContain("host");
  });

  it("of a second channel of the platform have the channel's name, and change with it", async () => {
    const { tools, platform } = await open();
    const changed = vi.fn<() => void>();
    tools.onChange(changed);
    const other = { ...post, url: `${platform.url}/two/{{args.room}}`, requiredEnvironment: [] };
    tools.offer("team b", [other], () => undefined);
    expect(tools.tools().map(({ plugin }) => plugin)).toEqual(["chat", "team-b"]);
    expect(tools.has({ plugin: "team-b", action: "react" })).toBe(true);
    tools.offer("team b", [], () => undefined);
    expect(tools.tools().map(({ plugin }) => plugin)).toEqual(["chat"]);
    expect(changed).toHaveBeenCalledTimes(2);
  });
});
