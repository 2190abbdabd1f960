import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startCore } from "./support/core-process.ts";
import { createModelServer } from "./support/model-server.ts";

const root = join(import.meta.dirname, "..");
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-e2e-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeConfig(modelUrl: string): string {
  const path = join(folder, "config.yaml");
  writeFileSync(
    path,
    `models:
  providers:
    local: {base_url: "${modelUrl}", api_key: "test-key-for-loopback", models: [{id: test-model, features: [tools]}]}
routing: {primary: local/test-model}
orchestrator:
  rules: ["Be brief."]
  content_preparers: [{plugin: hello-world, action: prepare, arg_key: text}]
channels:
  console: {enabled: true, plugin: console, config: {}}
plugins:
  hello-world:
    enabled: true
    plugin: ${join(root, "plugins/hello-world/hello-world-plugin")}
    env: ["HELLO_WORLD_PROMPT_FRAGMENT=Who wrote it first?"]
state: {data_dir: ${join(folder, "state")}}
`,
  );
  return path;
}

describe("the first minute: console, hello-world plugin, model", () => {
  it("sends hello through the plugin to the model and prints the answer", async () => {
    await using models = await createModelServer({ kind: "message", text: "Brian Kernighan did." });
    await using core = startCore({ configPath: writeConfig(models.url) });
    core.write("  Hello\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe("Brian Kernighan did.\n");
    expect(models.requests).toHaveLength(1);
    const { messages, tools } = models.requests[0]?.body ?? {};
    expect(messages?.at(-1)).toEqual({ role: "user", content: "Hello world\n\nWho wrote it first?" });
    expect(messages?.[0]?.role).toBe("system");
    expect(messages?.[0]?.content).toContain("Be brief.");
    expect(tools ?? []).toEqual([]);
  });

  it("answers anything else with the guard's message, without a model call", async () => {
    await using models = await createModelServer();
    await using core = startCore({ configPath: writeConfig(models.url) });
    core.write("what is the time?\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toMatch(/hello/i);
    expect(models.requests).toHaveLength(0);
  });
});
