import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startStubServer } from "../packages/opentalon/src/channels/yaml/testing/stub-server.ts";
import {
  createModelServer,
  type ModelServer,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch, root } from "./support/scratch.ts";

const patient = { timeout: 60_000 };

const offered = ({ requests }: ModelServer): readonly string[] =>
  requests.flatMap(({ body }) => body.tools?.map((tool) => tool.function.name) ?? []);

describe("tools that come with a channel", () => {
  it("of a definition are offered to the model, and make their request", async () => {
    await using platform = await startStubServer({
      handle: () => ({ json: { rooms: ["general"] } }),
    });
    await using models = await createModelServer([
      { kind: "message", toolCalls: [{ name: "ticker__rooms", arguments: { kind: "open" } }] },
      { kind: "message", text: "there is one room" },
    ]);
    using scratch = createScratch();
    writeFileSync(
      join(scratch.folder, "ticker.yaml"),
      `
id: ticker
tools_file: tools.yaml
inbound:
  http_webhook: {path: /ticker, secret_header: X-Token, secret_value: "{{config.secret}}"}
  mapping: {conversation_id: chat, sender_id: from, content: text}
  dedup: {key: "{{event.id}}"}
outbound:
  send: {url: "${platform.url}/send", body: '{"text":"{{msg.content}}"}'}
`,
    );
    writeFileSync(
      join(scratch.folder, "tools.yaml"),
      `
- plugin: ticker
  description: Rooms of the ticker
  action: rooms
  action_description: Lists rooms
  method: GET
  url: "${platform.url}/rooms?kind={{args.kind}}&after={{args.after}}"
  headers: {Authorization: "Bearer {{env.TICKER_TOKEN}}"}
  required_env: [TICKER_TOKEN]
  parameters: [{name: kind, required: true}, {name: after}]
`,
    );
    const entry = { enabled: true, plugin: "./ticker.yaml", config: { secret: "a-good-secret" } };
    const configPath = scratch.writeConfig(models.url, {
      server: { addr: "127.0.0.1:0" },
      channels: { ticker: { ...entry, access: { policy: "open" } } },
    });
    await using core = startCore({ configPath, environment: { TICKER_TOKEN: "ticker-token" } });
    const door = await core.door();
    const response = await fetch(`http://${door}/ticker`, {
      method: "POST",
      headers: { "x-token": "a-good-secret" },
      body: JSON.stringify({ id: "1", chat: "c", from: "u", text: "which rooms are there?" }),
    });
    expect(response.status).toBe(200);
    const findRequest = (path: string) => platform.requests.find((each) => each.path === path);
    await expect
      .poll(() => findRequest("/send")?.json, patient)
      .toEqual({ text: "there is one room" });
    expect(findRequest("/rooms")?.target).toBe("/rooms?kind=open");
    expect(findRequest("/rooms")?.headers["authorization"]).toBe("Bearer ticker-token");
    expect(offered(models)).toContain("ticker__rooms");
    expect(models.requests[1]?.body.messages?.at(-1)?.content).toContain('["general"]');
  });

  it("of a program are offered once it has told them, and see only what its entry gives it", async () => {
    await using models = await createModelServer([
      { kind: "message", toolCalls: [{ name: "fake__react", arguments: { message: "m1" } }] },
      { kind: "message", text: "done" },
    ]);
    using scratch = createScratch();
    const script = join(root, "packages/opentalon/src/channels/testing/fake-channel.ts");
    const path = join(scratch.folder, "fake-channel");
    writeFileSync(path, `#!/bin/sh\nexec "${process.execPath}" "${script}" "$FAKE_CHANNEL"\n`);
    chmodSync(path, 0o755);
    const channels = {
      one: {
        enabled: true,
        plugin: path,
        env: [`FAKE_CHANNEL=${JSON.stringify({ console: true })}`],
        access: { policy: "open" },
      },
    };
    const configPath = scratch.writeConfig(models.url, { channels });
    await using core = startCore({ configPath, environment: { TOKEN: "not for channels" } });
    await core.ready();
    core.write("react\n");
    await expect.poll(core.output, patient).toContain("fake> done\n");
    expect(offered(models)).toContain("fake__react");
    expect(models.requests[1]?.body.messages?.at(-1)?.content).toMatch(
      /has to set TOKEN in the environment/,
    );
    core.end();
    expect(await core.exited).toBe(0);
  });
});
