import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  createFakeChat,
  type FakeChat,
} from "../packages/opentalon/src/channels/testing/fake-chat.ts";
import { startStubServer } from "../packages/opentalon/src/channels/yaml/testing/stub-server.ts";
import {
  createGitRepository,
  hasGit,
} from "../packages/opentalon/src/plugins/sources/testing/git-repository.ts";
import { createGitServer } from "../packages/opentalon/src/plugins/sources/testing/git-server.ts";
import { hasTool } from "../packages/opentalon/src/plugins/sources/testing/plugin-repositories.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { type CoreProcess, startCore } from "./support/core-process.ts";
import { type FinishedRun, runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, root, type Scratch } from "./support/scratch.ts";

/** Channels from repositories: fetched, built, pinned and updated by the built program. */

const patient = { timeout: 60_000 };
const access = { policy: "open" };
const console_ = { enabled: true, plugin: "console" };
const server = { enabled: true, addr: "127.0.0.1:0" };

const makefile =
  ".PHONY: build\nbuild:\n\tcp channel.sh $(BINARY_NAME)\n\tchmod +x $(BINARY_NAME)\n";

/** Sources of a channel for the people of a chat. */
function programFiles(chat: FakeChat): Record<string, string> {
  const script = join(root, "packages/opentalon/src/channels/testing/fake-channel.ts");
  const options = JSON.stringify({ chat: chat.path });
  const text = `#!/bin/sh\nexec '${process.execPath}' '${script}' '${options}'\n`;
  return { Makefile: makefile, "channel.sh": text };
}

/** A platform described by a file, which posts to us and is posted to. */
function definitionFiles(url: string, path = "/hook"): Record<string, string> {
  return {
    "README.md": "a channel without code",
    "channel.yaml": `id: plain
inbound:
  http_webhook: {path: ${path}, secret_header: X-Token, secret_value: '{{config.secret}}'}
  mapping: {conversation_id: chat, sender_id: from, content: text}
  dedup: {key: "{{event.id}}"}
outbound:
  send: {url: "${url}/send", body: '{"text":"{{msg.content}}"}'}
`,
  };
}

async function post(door: string, path: string, id: string): Promise<number> {
  const body = JSON.stringify({ id, chat: "c", from: "u", text: id });
  const headers = { "x-token": "hook-secret" };
  return (await fetch(`http://${door}${path}`, { method: "POST", body, headers })).status;
}

const contents = (chat: FakeChat): readonly string[] => chat.sent.map(({ content }) => content);

const unready = async (door: string): Promise<string> =>
  (await fetch(`http://${door}/readyz`)).text();

const hasFetched = ({ log }: CoreProcess): boolean =>
  log.some(({ msg }) => msg === "fetching and building a channel");

async function stop(core: CoreProcess): Promise<void> {
  core.signal("SIGTERM");
  expect(await core.exited).toBe(0);
}

function channel(scratch: Scratch, ...command: readonly string[]): Promise<FinishedRun> {
  return runOpenTalon({
    arguments: ["--config", join(scratch.folder, "config.yaml"), "channel", ...command],
    folder: scratch.folder,
    environment: { NO_COLOR: "1" },
  });
}

/** Everything on PATH but git and the tools builds need. */
function pathWithoutTools(scratch: Scratch): string {
  const folder = join(scratch.folder, "bin");
  mkdirSync(folder);
  for (const tool of ["sh", "readlink", "dirname", "node"]) {
    const found = execFileSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).trim();
    symlinkSync(found, join(folder, tool));
  }
  return folder;
}

const canBuild = hasGit() && hasTool("make");
describe.skipIf(!canBuild)(
  `a channel from a repository${canBuild ? "" : ", skipped: git and make are needed"}`,
  () => {
    it("is built while the others run, and needs neither network nor git at the next start", async () => {
      using scratch = createScratch();
      await using models = await createModelServer();
      await using chat = await createFakeChat();
      const repository = createGitRepository();
      const gate = join(scratch.folder, "gate");
      const slow = `${makefile}\twhile [ ! -e '${gate}' ]; do sleep 0.1; done\n`;
      const commit = repository.commit({ ...programFiles(chat), Makefile: slow });
      const git = await createGitServer(dirname(repository.path));
      const name = repository.path.slice(dirname(repository.path).length + 1);
      const github = git.urlOf(`${name}/.git`);
      const configPath = scratch.writeConfig(models.url, {
        server,
        channels: { console: console_, mine: { enabled: true, github, access } },
      });
      {
        await using core = startCore({ configPath });
        const door = await core.door();
        expect(await unready(door)).toContain("channel mine: it is being built");
        core.write("hello\n");
        await expect.poll(core.output, patient).toContain("answer: hello");
        expect(chat.pids).toEqual([]);
        writeFileSync(gate, "");
        await chat.say("first");
        await expect.poll(() => contents(chat), patient).toEqual(["answer: first"]);
        expect(await unready(door)).toBe('{"status":"ok"}');
        await stop(core);
      }
      const lock = readFileSync(join(scratch.stateFolder, "channels.lock"), "utf8");
      expect(lock).toContain(`channels:\n  mine:\n    github: ${github}\n`);
      expect(lock).toContain(`resolved: ${commit}\n`);
      expect(lock).toMatch(/path: channel_builds\/mine\/\S+\/mine-channel\n/);

      repository.commit({ "channel.sh": "#!/bin/sh\nexit 1\n" });
      await git[Symbol.asyncDispose]();
      await using core = startCore({
        configPath,
        environment: { PATH: pathWithoutTools(scratch) },
      });
      await core.ready();
      await chat.say("second");
      await expect.poll(() => contents(chat), patient).toEqual(["answer: first", "answer: second"]);
      expect(hasFetched(core)).toBe(false);
      await stop(core);
    });

    it("is not run when what was built was changed, until it is built anew", async () => {
      using scratch = createScratch();
      await using models = await createModelServer();
      await using chat = await createFakeChat();
      const repository = createGitRepository();
      repository.commit(programFiles(chat));
      const configPath = scratch.writeConfig(models.url, {
        server,
        channels: {
          console: console_,
          mine: { enabled: true, github: repository.path, access },
        },
      });
      {
        await using core = startCore({ configPath });
        await chat.say("first");
        await expect.poll(() => contents(chat), patient).toEqual(["answer: first"]);
        await stop(core);
      }
      const builds = join(scratch.stateFolder, "channel_builds", "mine");
      const trace = join(scratch.folder, "trace");
      for (const build of readdirSync(builds)) {
        const program = join(builds, build, "mine-channel");
        const text = readFileSync(program, "utf8").replace("exec", `touch '${trace}'\nexec`);
        writeFileSync(program, text);
      }
      await using core = startCore({ configPath });
      expect(await unready(await core.door())).toContain("opentalon channel update mine");
      core.write("hello\n");
      await expect.poll(core.output, patient).toContain("answer: hello");
      expect(existsSync(trace)).toBe(false);
      // The running program takes it up by itself.
      expect(await channel(scratch, "update", "mine")).toMatchObject({ code: 0 });
      await chat.say("second");
      await expect.poll(() => contents(chat), patient).toEqual(["answer: first", "answer: second"]);
      expect(existsSync(trace)).toBe(false);
      await stop(core);
    });

    it("that cannot be built says why, and a folder with a program is run as it is", async () => {
      using scratch = createScratch();
      await using models = await createModelServer();
      await using chat = await createFakeChat();
      const bad = createGitRepository();
      bad.commit({ Makefile: "build:\n\t@echo this is why; exit 1\n" });
      const folder = join(scratch.folder, "things");
      mkdirSync(folder);
      const program = programFiles(chat)["channel.sh"] ?? "";
      writeFileSync(join(folder, "things-channel"), program, { mode: 0o755 });
      const configPath = scratch.writeConfig(models.url, {
        server,
        channels: {
          bad: { enabled: true, github: bad.path },
          things: { enabled: true, plugin: "./things", access },
        },
      });
      await using core = startCore({ configPath });
      const door = await core.door();
      await chat.say("hi");
      await expect.poll(() => contents(chat), patient).toEqual(["answer: hi"]);
      await expect.poll(() => unready(door), patient).toContain("channel bad: make build");
      const told = core.log.find(({ msg }) => msg === "a channel could not be fetched and built");
      expect(told).toMatchObject({
        channel: "bad",
        lastLines: expect.arrayContaining(["this is why"]) as unknown,
      });
      await stop(core);
    });
  },
);

describe.skipIf(!hasGit())(
  `a definition from a repository${hasGit() ? "" : ", skipped: git is needed"}`,
  () => {
    it("is a channel at the first start, is pinned, and is updated by hand", async () => {
      using scratch = createScratch();
      await using models = await createModelServer();
      await using platform = await startStubServer({ handle: () => ({ json: { ok: true } }) });
      const repository = createGitRepository();
      const one = repository.commit(definitionFiles(platform.url));
      const git = await createGitServer(dirname(repository.path));
      const name = repository.path.slice(dirname(repository.path).length + 1);
      const github = git.urlOf(`${name}/.git`);
      const config = { secret: "hook-secret" };
      const configPath = scratch.writeConfig(models.url, {
        server,
        channels: { mine: { enabled: true, github, ref: "main", access, config } },
      });
      const texts = (): readonly unknown[] =>
        platform.requests.map(({ body }) => (JSON.parse(body) as { text: unknown }).text);
      {
        await using core = startCore({ configPath });
        const door = await core.door();
        expect(await unready(door)).toBe('{"status":"ok"}');
        expect(await post(door, "/hook", "one")).toBe(200);
        await expect.poll(texts, patient).toEqual(["answer: one"]);
        await stop(core);
      }
      const two = repository.commit(definitionFiles(platform.url, "/newer"));
      const updated = await channel(scratch, "update");
      expect(updated).toMatchObject({ code: 0 });
      expect(updated.stdout).toContain(`mine: ${one.slice(0, 12)} → ${two.slice(0, 12)}`);
      await git[Symbol.asyncDispose]();
      {
        await using core = startCore({
          configPath,
          environment: { PATH: pathWithoutTools(scratch) },
        });
        const door = await core.door();
        expect(await post(door, "/newer", "two")).toBe(200);
        await expect.poll(texts, patient).toEqual(["answer: one", "answer: two"]);
        await stop(core);
      }
      const builds = join(scratch.stateFolder, "channel_builds", "mine");
      for (const build of readdirSync(builds))
        appendFileSync(join(builds, build, "channel.yaml"), "\n# more\n");
      await using core = startCore({ configPath });
      const door = await core.door();
      expect(await unready(door)).toContain("opentalon channel update mine");
      expect(await post(door, "/newer", "three")).toBe(404);
      await stop(core);
    });

    it("is added and removed by commands, and everything else in the file stays", async () => {
      using scratch = createScratch();
      await using models = await createModelServer();
      const configPath = scratch.writeConfig(models.url);
      const text = `${["models", "routing", "channels", "state"]
        .map((key) => {
          const whole = JSON.parse(readFileSync(configPath, "utf8")) as Record<string, unknown>;
          return key === "channels"
            ? "channels:\n  console: {enabled: true, plugin: console} # mine"
            : `${key}: ${JSON.stringify(whole[key])}`;
        })
        .join("\n")}\n`;
      writeFileSync(configPath, text);
      const repository = createGitRepository();
      const commit = repository.commit(definitionFiles("https://platform.example"));
      const url = `file://${repository.path}`;
      const added = await channel(scratch, "add", url, "--name", "plain", "--no-enable");
      expect(added).toMatchObject({ code: 0 });
      expect(added.stdout).toContain(`added plain at ${commit.slice(0, 12)}`);
      expect(added.stdout).toContain("set channels.plain.enabled to true");
      const entry = `  plain:\n    enabled: false\n    github: ${url}\n`;
      expect(readFileSync(configPath, "utf8")).toBe(text.replace("# mine\n", `# mine\n${entry}`));
      expect(await channel(scratch, "add", "slack", "--no-enable")).toMatchObject({ code: 0 });
      expect(readFileSync(configPath, "utf8")).toContain("    plugin: slack\n");
      expect(await channel(scratch, "remove", "slack")).toMatchObject({ code: 0 });
      expect(await channel(scratch, "remove", "plain")).toMatchObject({ code: 0 });
      expect(readFileSync(configPath, "utf8")).toBe(text);
      expect(existsSync(join(scratch.stateFolder, "channel_builds", "plain"))).toBe(false);
      expect(await channel(scratch, "remove", "plain")).toMatchObject({ code: 1 });
    });
  },
);
