import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { createGitServer } from "../packages/opentalon/src/plugins/sources/testing/git-server.ts";
import {
  createGitRepository,
  hasGit,
} from "../packages/opentalon/src/plugins/sources/testing/git-repository.ts";
import {
  createModelServer,
  type ModelServer,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { hasTool } from "../packages/opentalon/src/plugins/sources/testing/plugin-repositories.ts";
import { type CoreProcess, startCore } from "./support/core-process.ts";
import { isRunning } from "./support/processes.ts";
import { type FinishedRun, runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, root, type Scratch } from "./support/scratch.ts";

/** Plugins from repositories: added, built, pinned, updated and removed by the built command line. */

const fakePlugin = join(root, "packages/opentalon/src/plugins/testing/fake-plugin.ts");

/** A program that is a plugin and adds `word` to the system prompt. */
function pluginScript(word: string): string {
  const options = JSON.stringify({ promptAddition: word, name: "" });
  return `#!/bin/sh\nexec '${process.execPath}' '${fakePlugin}' '${options}'\n`;
}

const makefile =
  ".PHONY: build\nbuild:\n\tcp plugin.sh $(BINARY_NAME)\n\tchmod +x $(BINARY_NAME)\n";
const pluginFiles = (word: string): Record<string, string> => ({
  Makefile: makefile,
  "plugin.sh": pluginScript(word),
});

/** One question; what its system prompt was, and whether anything was built for it. */
async function ask(
  scratch: Scratch,
  models: ModelServer,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ readonly prompt: string; readonly core: CoreProcess }> {
  const configPath = join(scratch.folder, "config.yaml");
  await using core = startCore({ configPath, environment });
  await core.ready();
  core.write("hello\n");
  core.end();
  expect(await core.exited).toBe(0);
  const first = models.requests.at(-1)?.body.messages?.[0];
  return { prompt: String(first?.content), core };
}

const hasBuilt = ({ log }: CoreProcess): boolean =>
  log.some(({ msg }) => msg === "fetching and building a plugin");

function plugin(scratch: Scratch, ...command: readonly string[]): Promise<FinishedRun> {
  return runOpenTalon({
    arguments: ["--config", join(scratch.folder, "config.yaml"), "plugin", ...command],
    folder: scratch.folder,
    environment: { NO_COLOR: "1" },
  });
}

/** A configuration as somebody would write it, with comments. */
function writeCommented(scratch: Scratch, models: ModelServer): string {
  const path = scratch.writeConfig(models.url);
  const written = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  const { models: providers, routing, channels, state } = written;
  const text = `# my file
models: ${JSON.stringify(providers)} # one line
routing:   ${JSON.stringify(routing)}

channels: ${JSON.stringify(channels)}

# what is kept
state: ${JSON.stringify(state)}
`;
  writeFileSync(path, text);
  return text;
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
  `a plugin from a repository${canBuild ? "" : ", skipped: git and make are needed"}`,
  () => {
    it("is fetched and built at the first start, and needs neither network nor git at the next", async () => {
      using scratch = createScratch();
      await using models = await createModelServer([]);
      const repository = createGitRepository();
      repository.git("branch", "--move", "trunk");
      const commit = repository.commit(pluginFiles("first version"));
      const server = await createGitServer(dirname(repository.path));
      const name = repository.path.slice(dirname(repository.path).length + 1);
      scratch.writeConfig(models.url, {
        plugins: { mine: { enabled: true, github: server.urlOf(`${name}/.git`), config: {} } },
      });
      const first = await ask(scratch, models);
      expect(first.prompt).toContain("first version");
      expect(hasBuilt(first.core)).toBe(true);
      const lock = readFileSync(join(scratch.stateFolder, "plugins.lock"), "utf8");
      expect(lock).toContain(`ref: ""\n    resolved: ${commit}\n`);

      repository.commit(pluginFiles("second version"));
      await server[Symbol.asyncDispose]();
      const second = await ask(scratch, models, { PATH: pathWithoutTools(scratch) });
      expect(second.prompt).toContain("first version");
      expect(hasBuilt(second.core)).toBe(false);
    });

    it("is not run when what was built was changed", async () => {
      using scratch = createScratch();
      await using models = await createModelServer([]);
      const repository = createGitRepository();
      repository.commit(pluginFiles("first version"));
      scratch.writeConfig(models.url, {
        plugins: { mine: { enabled: true, github: repository.path } },
      });
      await ask(scratch, models);
      const builds = join(scratch.stateFolder, "plugin_builds", "mine");
      const trace = join(scratch.folder, "trace");
      for (const build of readdirSync(builds)) {
        const program = join(builds, build, "mine-plugin");
        const text = readFileSync(program, "utf8").replace("exec", `touch '${trace}'\nexec`);
        writeFileSync(program, text);
      }
      const changed = await ask(scratch, models);
      expect(changed.prompt).not.toContain("first version");
      expect(existsSync(trace)).toBe(false);
      const problem = changed.core.log.find(({ msg }) => msg === "Plugin did not start")?.[
        "problem"
      ];
      expect(problem).toContain("opentalon plugin update mine");
      expect(await plugin(scratch, "update", "mine")).toMatchObject({ code: 0 });
      expect((await ask(scratch, models)).prompt).toContain("first version");
      expect(existsSync(trace)).toBe(false);
    });

    it("is added, updated and removed, and everything else in the file stays", async () => {
      using scratch = createScratch();
      await using models = await createModelServer([]);
      const text = writeCommented(scratch, models);
      const read = (): string => readFileSync(join(scratch.folder, "config.yaml"), "utf8");
      const repository = createGitRepository();
      const one = repository.commit(pluginFiles("first version"));
      const url = `file://${repository.path}`;
      const short = (commit: string): string => commit.slice(0, 12);

      const added = await plugin(scratch, "add", url, "--name", "mine", "--ref", "main");
      expect(added).toMatchObject({ code: 0 });
      expect(added.stdout).toContain(`added mine at ${short(one)}`);
      expect(added.stderr).toContain("$ make build BINARY_NAME=mine-plugin");
      expect(read()).toBe(
        `${text}\nplugins:\n  mine:\n    enabled: true\n    github: ${url}\n    ref: main\n`,
      );
      const first = await ask(scratch, models);
      expect(first.prompt).toContain("first version");
      expect(hasBuilt(first.core)).toBe(false);
      expect(await plugin(scratch, "add", url, "--name", "mine")).toMatchObject({ code: 1 });

      const two = repository.commit(pluginFiles("second version"));
      await using running = startCore({ configPath: join(scratch.folder, "config.yaml") });
      await running.ready();
      const updated = await plugin(scratch, "update");
      expect(updated).toMatchObject({ code: 0 });
      expect(updated.stdout).toContain(`mine: ${short(one)} → ${short(two)}`);
      expect(updated.stdout).toContain("mine was started anew");
      running.end();
      expect(await running.exited).toBe(0);
      expect((await plugin(scratch, "update", "mine")).stdout).toContain("is the newest");
      expect((await ask(scratch, models)).prompt).toContain("second version");

      repository.commit({ Makefile: "build:\n\t@echo this is why; exit 1\n" });
      const failed = await plugin(scratch, "update", "mine");
      expect(failed.code).toBe(1);
      expect(failed.stderr).toContain("this is why");
      expect(failed.stderr).toContain("SOURCE_BUILD_FAILED");
      expect((await ask(scratch, models)).prompt).toContain("second version");

      const removed = await plugin(scratch, "remove", "mine");
      expect(removed).toMatchObject({ code: 0 });
      expect(read()).not.toContain("mine");
      expect(read()).toContain("# what is kept");
      expect(existsSync(join(scratch.stateFolder, "plugin_builds", "mine"))).toBe(false);
      expect(existsSync(join(scratch.stateFolder, "plugins", "mine"))).toBe(true);
      expect(readFileSync(join(scratch.stateFolder, "plugins.lock"), "utf8")).not.toContain("mine");
      expect(await plugin(scratch, "remove", "mine")).toMatchObject({ code: 1 });
      expect(await plugin(scratch, "remove", "mine", "--data")).toMatchObject({ code: 0 });
      expect(existsSync(join(scratch.stateFolder, "plugins", "mine"))).toBe(false);
    });

    it("whose build is cut off leaves no process behind, and is built at the next start", async () => {
      using scratch = createScratch();
      await using models = await createModelServer([]);
      const repository = createGitRepository();
      const trace = join(scratch.folder, "trace");
      repository.commit({
        ...pluginFiles("in the end"),
        Makefile: `${makefile}\t[ -e '${trace}' ] || { echo $$$$ > '${trace}.new'; mv '${trace}.new' '${trace}'; exec sleep 600; }\n`,
      });
      const configPath = scratch.writeConfig(models.url, {
        plugins: { mine: { enabled: true, github: repository.path } },
      });
      const core = startCore({ configPath });
      await expect.poll(() => existsSync(trace), { timeout: 30_000 }).toBe(true);
      core.signal("SIGKILL");
      await core.exited;
      const builder = Number(readFileSync(trace, "utf8"));
      await expect.poll(() => isRunning(builder), { timeout: 30_000 }).toBe(false);
      expect(existsSync(join(scratch.stateFolder, "plugins.lock"))).toBe(false);
      expect((await ask(scratch, models)).prompt).toContain("in the end");
    });

    it("whose build fails leaves the file as it was, and a failing start leaves the others", async () => {
      using scratch = createScratch();
      await using models = await createModelServer([]);
      const text = writeCommented(scratch, models);
      const repository = createGitRepository();
      repository.commit({ "go.mod": "module x\n", Makefile: "build:\n\tfalse\n" });
      const failed = await plugin(
        scratch,
        "add",
        repository.path,
        "--name",
        "bad",
        "--ref",
        "main",
      );
      expect(failed.code).toBe(1);
      expect(readFileSync(join(scratch.folder, "config.yaml"), "utf8")).toBe(text);
      expect(existsSync(join(scratch.stateFolder, "plugins.lock"))).toBe(false);

      const good = createGitRepository();
      good.commit(pluginFiles("good one"));
      scratch.writeConfig(models.url, {
        plugins: {
          bad: { enabled: true, github: repository.path },
          good: { enabled: true, github: good.path },
        },
      });
      const { prompt, core } = await ask(scratch, models);
      expect(prompt).toContain("good one");
      const told = core.log.find(({ msg }) => msg === "a plugin could not be fetched and built");
      expect(told).toMatchObject({ plugin: "bad" });
    });
  },
);

describe("opentalon plugin add", () => {
  it("takes a program, a folder with one, and a plugin that comes with OpenTalon", async () => {
    using scratch = createScratch();
    await using models = await createModelServer([]);
    writeCommented(scratch, models);
    const program = join(scratch.folder, "tool.sh");
    writeFileSync(program, pluginScript("a program"), { mode: 0o755 });
    mkdirSync(join(scratch.folder, "things"));
    const inFolder = join(scratch.folder, "things", "things-plugin");
    writeFileSync(inFolder, pluginScript("in a folder"), { mode: 0o755 });

    expect(await plugin(scratch, "add", "./tool.sh")).toMatchObject({ code: 0 });
    expect(await plugin(scratch, "add", "hello-world", "--no-enable")).toMatchObject({ code: 0 });
    const isAmbiguous = await plugin(scratch, "add", "things/things-plugin");
    expect(isAmbiguous.code).toBe(1);
    expect(isAmbiguous.stderr).toContain("write ./things/things-plugin");
    const edited = readFileSync(join(scratch.folder, "config.yaml"), "utf8");
    expect(edited.slice(edited.indexOf("plugins:"))).toBe(
      `plugins:\n  tool:\n    enabled: true\n    plugin: ${program}\n  hello-world:\n    enabled: false\n    plugin: hello-world\n`,
    );
    appendFileSync(
      join(scratch.folder, "config.yaml"),
      `  things:\n    enabled: true\n    plugin: ${join(scratch.folder, "things")}\n`,
    );
    const { prompt } = await ask(scratch, models);
    expect(prompt).toContain("a program");
    expect(prompt).toContain("in a folder");
  });

  it("says what is wrong with a source", async () => {
    using scratch = createScratch();
    await using models = await createModelServer([]);
    writeCommented(scratch, models);
    writeFileSync(join(scratch.folder, "data.txt"), "x");
    chmodSync(join(scratch.folder, "data.txt"), 0o644);
    for (const [source, words] of [
      ["./nowhere", "there is no"],
      ["./data.txt", "chmod +x"],
      ["nothing", "write owner/name"],
      ["https://user:pass@example.com/o/n", "a password has no place"],
      ["file:///nowhere/tools", "choose a name"],
    ] as const) {
      const { code, stderr } = await plugin(scratch, "add", source);
      expect({ source, code }).toEqual({ source, code: 1 });
      expect(stderr).toContain(words);
    }
  });
});

it("programs of plugins.tools.plugin_dir run, unless their entry says otherwise", async () => {
  using scratch = createScratch();
  await using models = await createModelServer([]);
  const folder = join(scratch.folder, "programs");
  mkdirSync(join(folder, "packed"), { recursive: true });
  const write = (path: string, word: string): void =>
    writeFileSync(join(folder, path), pluginScript(word), { mode: 0o755 });
  write("plain.sh", "plain one");
  write("off", "switched off");
  write("packed/packed-plugin", "packed one");
  write("odd name!", "odd one");
  writeFileSync(join(folder, "README.md"), "no program");
  scratch.writeConfig(models.url, {
    plugins: { tools: { plugin_dir: folder }, off: { enabled: false }, plain: { enabled: true } },
  });
  const { prompt, core } = await ask(scratch, models);
  expect(prompt).toContain("plain one");
  expect(prompt).toContain("packed one");
  expect(prompt).not.toMatch(/switched off|odd one/);
  expect(core.log.find(({ msg }) => /is left out/.test(msg))?.["problem"]).toContain("odd name!");
});
