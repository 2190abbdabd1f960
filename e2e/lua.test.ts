import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  createModelServer,
  type ModelServer,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore, type CoreProcess } from "./support/core-process.ts";
import {
  createScratch,
  fakePlugin,
  root,
  webhookChannel,
  type Scratch,
} from "./support/scratch.ts";
import { createWebhookPeer } from "./support/webhook-peer.ts";

type Scripts = Readonly<Record<string, string>>;
type Settings = Readonly<Record<string, unknown>>;

function writeScripts(scratch: Scratch, scripts: Scripts): string {
  const directory = join(scratch.folder, "scripts");
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(scripts))
    writeFileSync(join(directory, `${name}.lua`), text);
  return directory;
}

interface Ruled extends AsyncDisposable {
  readonly core: CoreProcess;
  readonly models: ModelServer;
  /** Says one thing and gives the answer. */
  readonly say: (text: string) => Promise<string>;
  /** The last thing the model was told. */
  readonly shown: () => string | null | undefined;
}

/** A core on the console with these scripts as preparers and formatters. */
async function startRuled(
  scripts: Scripts,
  orchestrator: Settings,
  { lua = {}, plugins = {} }: { readonly lua?: Settings; readonly plugins?: Settings } = {},
): Promise<Ruled> {
  await using parts = new AsyncDisposableStack();
  const scratch = parts.use(createScratch());
  const models = parts.use(await createModelServer());
  const configPath = scratch.writeConfig(models.url, {
    orchestrator,
    plugins,
    lua: { scripts_dir: writeScripts(scratch, scripts), ...lua },
  });
  const core = parts.use(startCore({ configPath }));
  const built = parts.move();
  return {
    core,
    models,
    say: async (text) => {
      const before = core.output().length;
      core.write(`${text}\n`);
      await expect.poll(() => core.output().slice(before), { timeout: 20_000 }).toMatch(/\n$/);
      return core.output().slice(before).trim();
    },
    shown: () => models.requests.at(-1)?.body.messages?.at(-1)?.content,
    [Symbol.asyncDispose]: () => built.disposeAsync(),
  };
}

const before = (...names: readonly string[]): Settings => ({
  content_preparers: names.map((name) => ({ plugin: `lua:${name}` })),
});

const vocabulary = `
local words = { PTO = "paid time off", ["the office"] = "the Berlin site" }
function prepare(text)
  for word, meaning in pairs(words) do text = text:gsub(word, meaning) end
  return text
end`;

describe("company rules in Lua", () => {
  it("replace words before the model sees them, and no token is spent on it", async () => {
    await using ruled = await startRuled({ vocabulary }, before("vocabulary"));
    await ruled.say("how much PTO do I have?");
    expect(ruled.shown()).toBe("how much paid time off do I have?");
    expect(await ruled.say("/why")).toMatch(/lua:vocabulary changed the text \(\d+ µs\)/);
  });

  it("refuse a message without asking a model, and /why and the log say so", async () => {
    const secrets = `
function filter(ctx)
  if ctx.message:find("sk%-%w+") then return { drop = true, reason = "That looks like a key." } end
end`;
    await using ruled = await startRuled({ secrets }, before("secrets"));
    expect(await ruled.say("my key is sk-abcdef")).toBe("That looks like a key.");
    expect(ruled.models.requests).toHaveLength(0);
    expect(await ruled.say("/why")).toMatch(
      /^No model was asked, so no token was spent.* lua:secrets refused the message \(\d+ µs\)/,
    );
    const line = await ruled.core.logged(({ hook }) => hook === "lua:secrets");
    expect(line).toMatchObject({ effect: "refused", microseconds: expect.any(Number) as number });
    await ruled.say("hello");
    expect(ruled.shown()).toBe("hello");
  });

  it("enrich a message with what they remember, also when the conversation is forgotten", async () => {
    const count = `
function pre_hook(ctx)
  local seen = (tonumber(ctx.kv_get(ctx.actor)) or 0) + 1
  ctx.kv_set(ctx.actor, seen)
  ctx.message = ctx.message .. " [message " .. seen .. " of " .. ctx.channel .. "]"
  return ctx
end`;
    await using ruled = await startRuled({ count }, before("count"));
    await ruled.say("one");
    expect(ruled.shown()).toBe("one [message 1 of console]");
    await ruled.say("/clear");
    await ruled.say("two");
    expect(ruled.shown()).toBe("two [message 2 of console]");
  });

  it("ask a model themselves, on its own account", async () => {
    const triage = `
function pre_hook(ctx)
  ctx.message = ctx.message .. " (" .. ctx.llm("classify: " .. ctx.message) .. ")"
end`;
    await using ruled = await startRuled({ triage }, before("triage"));
    await ruled.say("hi");
    expect(ruled.shown()).toBe("hi (answer: classify: hi)");
    expect(ruled.models.requests).toHaveLength(2);
  });

  it("fail closed unless they may fail open, and the log names the line", async () => {
    const broken = `function prepare(text)
  return text .. missing.field
end`;
    await using closed = await startRuled({ broken }, before("broken"));
    const words = await closed.say("hello");
    expect(words).toMatch(/^Your message was not processed: the check "lua:broken" failed\./);
    expect(words).not.toContain("missing");
    expect(closed.models.requests).toHaveLength(0);
    const line = await closed.core.logged(({ msg }) => msg === "a preparer failed");
    expect(line).toMatchObject({ hook: "lua:broken", line: 2 });

    await using open = await startRuled(
      { broken },
      { content_preparers: [{ plugin: "lua:broken", fail_open: true }] },
    );
    await open.say("hello");
    expect(open.shown()).toBe("hello");
  });

  it("guard what the model is told, results of tools included", async () => {
    const mask = `function prepare(text) return (text:gsub("%d%d%d%d+", "****")) end`;
    await using ruled = await startRuled(
      { mask },
      { content_preparers: [{ plugin: "lua:mask", guard: true }] },
    );
    await ruled.say("my number is 123456");
    expect(ruled.shown()).toBe("my number is ****");
  });

  it("are named at the start when one is not there", async () => {
    using scratch = createScratch();
    const configPath = scratch.writeConfig("http://127.0.0.1:9/v1", {
      orchestrator: before("vocabulry"),
      lua: { scripts_dir: writeScripts(scratch, { vocabulary, other: vocabulary }) },
    });
    await using core = startCore({ configPath });
    expect(await core.exited).not.toBe(0);
    const said = core.otherErrors() + core.log.map(({ msg }) => msg).join("\n");
    expect(said).toMatch(/lua:vocabulry.*It holds: other, vocabulary\./s);
  });
});

const delegate = `
function prepare(text)
  return { send_to_llm = false, invoke = { plugin = "desk", action = "echo", args = { text = text } } }
end`;

describe("actions that a script asks for", () => {
  const plugins = { desk: fakePlugin({ name: "desk" }) };

  it("are run, without a model, when the script is trusted", async () => {
    await using ruled = await startRuled({ delegate }, before("delegate"), {
      lua: { scripts: { delegate: { insecure: false } } },
      plugins,
    });
    expect(await ruled.say("ticket please")).toContain(`"text":"ticket please"`);
    expect(ruled.models.requests).toHaveLength(0);
  });

  it("are not run when it is not; the message goes on as it was", async () => {
    await using ruled = await startRuled({ delegate }, before("delegate"), { plugins });
    await ruled.say("ticket please");
    expect(ruled.shown()).toBe("ticket please");
  });

  it("can be made of the model's answer by a post_hook", async () => {
    const act = `
function post_hook(ctx)
  local title = ctx.message:match("TICKET: (.+)")
  if title then ctx.invoke = { plugin = "desk", action = "echo", args = { title = title } } end
  return ctx
end`;
    await using ruled = await startRuled(
      { act },
      { response_formatters: [{ plugin: "lua:act" }] },
      { lua: { scripts: { act: { insecure: false } } }, plugins },
    );
    expect(await ruled.say("nothing to do")).toBe("answer: nothing to do");
    expect(await ruled.say("TICKET: printer on fire")).toContain(`"title":"printer on fire"`);
  });
});

it("a formatter shapes the answer, and what a hook notes travels with the reply", async () => {
  using scratch = createScratch();
  await using models = await createModelServer();
  let door = "";
  await using peer = await createWebhookPeer({ channel: "web", door: () => door });
  const scripts = {
    note: `function pre_hook(ctx) ctx.metadata.team = "blue" end`,
    loud: `function format(text, response_format) return text:upper() end`,
  };
  const configPath = scratch.writeConfig(models.url, {
    ...webhookChannel(peer.url),
    orchestrator: { ...before("note"), response_formatters: [{ plugin: "lua:loud" }] },
    lua: { scripts_dir: writeScripts(scratch, scripts) },
  });
  await using core = startCore({ configPath });
  door = await core.door();
  await peer.post({ id: "1", conversation: "c", content: "hello" });
  await expect.poll(() => peer.arrived.length, { timeout: 20_000 }).toBe(1);
  expect(peer.arrived[0]).toMatchObject({
    content: "ANSWER: HELLO",
    metadata: { team: "blue", in_reply_to: "1" },
  });
});

describe("while many talk", () => {
  it("a saved script is used by every later message, and a broken one by none", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    let door = "";
    await using peer = await createWebhookPeer({ channel: "web", door: () => door });
    const toScript = (version: number): string =>
      `function prepare(text) return "v${version} " .. text end`;
    const directory = writeScripts(scratch, { version: toScript(0) });
    const configPath = scratch.writeConfig(models.url, {
      ...webhookChannel(peer.url),
      orchestrator: before("version"),
      lua: { scripts_dir: directory },
    });
    await using core = startCore({ configPath });
    door = await core.door();
    const save = (text: string): void => {
      // As editors do: a new file in the place of the old one.
      writeFileSync(join(directory, "version.new"), text);
      renameSync(join(directory, "version.new"), join(directory, "version.lua"));
    };
    const sessions = Array.from({ length: 8 }, (_, index) => `s${index}`);
    let sent = 0;
    for (let version = 0; version < 6; version += 1) {
      const isBroken = version === 3;
      if (version > 0) save(isBroken ? "function prepare(" : toScript(version));
      for (const conversation of sessions) {
        await peer.post({ id: `${version}-${conversation}`, conversation, content: "hi" });
        sent += 1;
      }
      const count = sent;
      await expect.poll(() => peer.arrived.length, { timeout: 30_000 }).toBe(count);
      const newest = peer.arrived.slice(-sessions.length).map(({ content }) => content);
      const expected = `answer: v${isBroken ? version - 1 : version} hi`;
      expect(newest).toEqual(sessions.map(() => expected));
    }
    const complaints = core.log.filter(({ msg }) => msg.includes("the last version that worked"));
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toMatchObject({ script: "version", line: 1 });
  });

  it("a script that hangs on one message does not keep the others waiting", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    let door = "";
    await using peer = await createWebhookPeer({ channel: "web", door: () => door });
    const trap = `function prepare(text)
  while text == "hang" do end
  return text
end`;
    const configPath = scratch.writeConfig(models.url, {
      ...webhookChannel(peer.url),
      orchestrator: before("trap"),
      lua: { scripts_dir: writeScripts(scratch, { trap }), limits: { timeout_seconds: 30 } },
    });
    await using core = startCore({ configPath });
    door = await core.door();
    await peer.post({ id: "first", conversation: "a", content: "hello" });
    await expect.poll(() => peer.arrived.length, { timeout: 20_000 }).toBe(1);
    await peer.post({ id: "stuck", conversation: "b", content: "hang" });
    for (const id of ["1", "2", "3", "4"])
      await peer.post({ id, conversation: `c${id}`, content: "hello" });
    // Long before the thirty seconds are over that the script may take.
    await expect.poll(() => peer.arrived.length, { timeout: 20_000 }).toBe(5);
    expect(peer.arrived.map(({ metadata }) => metadata["in_reply_to"])).not.toContain("stuck");
  });
});

describe("the guide", () => {
  it("runs as it is written", async () => {
    const guide = readFileSync(join(root, "docs/guide/lua-scripts.md"), "utf8");
    const scripts = [...guide.matchAll(/`scripts\/(\w+)\.lua`[^`]*```lua\n([^]*?)```/g)].map(
      ([, name = "", text = ""]) => [name, text] as const,
    );
    expect(scripts.map(([name]) => name)).toEqual(["words", "secrets", "first", "footer"]);
    const settings = [...guide.matchAll(/```yaml\n([^]*?)```/g)].map(([, text = ""]) => text);
    // The block that names all four; what follows it fetches scripts from elsewhere.
    const whole = settings.find((text) => text.includes("lua:footer"));
    expect(whole).toBeDefined();
    using scratch = createScratch();
    await using models = await createModelServer();
    writeScripts(scratch, Object.fromEntries(scripts));
    const configPath = scratch.writeConfig(models.url);
    const own = JSON.parse(readFileSync(configPath, "utf8")) as Settings;
    const toYaml = Object.entries(own).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
    writeFileSync(configPath, `${toYaml.join("\n")}\n${whole ?? ""}`);
    await using core = startCore({ configPath });
    const said = async (text: string): Promise<string> => {
      const start = core.output().length;
      core.write(`${text}\n`);
      await expect.poll(() => core.output().slice(start), { timeout: 20_000 }).toMatch(/\n$/);
      return core.output().slice(start).trim();
    };
    expect(await said("my password: 1234")).toBe(
      "That looks like a password. It was not sent to any model.",
    );
    expect(await said("how much PTO is left in BER?")).toMatch(/Automatic answer, please check\.$/);
    expect(models.requests.at(-1)?.body.messages?.at(-1)?.content).toBe(
      "how much paid time off is left in the Berlin office?\n\n(This person is new here. Greet them.)",
    );
    expect(await said("/why")).toMatch(/lua:words changed the text \(\d+ µs\)/);
  });
});
