import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Clock, createManualClock, systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { parseConfig } from "../../config/load-config.ts";
import { createLuaScripts } from "../../hooks/lua/create-lua-scripts.ts";
import {
  createFolder,
  createGitRepository,
  hasGit,
} from "../../plugins/sources/testing/git-repository.ts";
import { createFetchedScripts, type FetchedScripts } from "./fetched-scripts.ts";

const log = createSilentLog();
const script = (words: string): string => `function prepare(text) return "${words} " .. text end\n`;

function open(
  dataDirectory: string,
  lua: Readonly<Record<string, unknown>>,
  clock: Clock = systemClock,
): FetchedScripts {
  const { config } = parseConfig({
    text: JSON.stringify({ lua, state: { data_dir: dataDirectory } }),
    path: join(dataDirectory, "config.yaml"),
    environment: {},
  });
  const scripts = createFetchedScripts({ config, environment: process.env, clock, log });
  onTestFinished(() => scripts[Symbol.asyncDispose]());
  return scripts;
}

async function start(
  dataDirectory: string,
  lua: Readonly<Record<string, unknown>>,
  clock?: Clock,
): Promise<FetchedScripts> {
  const scripts = open(dataDirectory, lua, clock);
  await scripts.settled;
  return scripts;
}

const lockOf = (dataDirectory: string): string => join(dataDirectory, "lua_plugins.lock");

describe.skipIf(!hasGit())("scripts of lua.plugins (needs git)", () => {
  it("come from the default repository and from their own, are pinned, and need no network again", async () => {
    const data = createFolder();
    const shared = createGitRepository();
    const sharedCommit = shared.commit({ "words/words.lua": script("shared") });
    const own = createGitRepository();
    const ownCommit = own.commit({ "rules.lua": script("own") });
    const lua = {
      default_github: shared.path,
      default_ref: "main",
      plugins: ["words", { name: "rules", github: own.path }],
    };
    const first = await start(data, lua);
    expect(first.list().toSorted()).toEqual(["rules", "words"]);
    expect(first.read("words")).toBe(script("shared"));
    expect(first.read("rules")).toBe(script("own"));
    const lock = readFileSync(lockOf(data), "utf8");
    expect(lock).toContain(
      `repo:\n  github: ${shared.path}\n  ref: main\n  resolved: ${sharedCommit}\n  path: lua_plugins/`,
    );
    expect(lock).toContain(`plugins:\n  rules:\n    github: ${own.path}\n`);
    expect(lock).toContain(`    path: lua_plugins/rules/${ownCommit}\n    hash: sha256:`);
    expect(statSync(lockOf(data)).mode & 0o777).toBe(0o644);

    rmSync(shared.path, { recursive: true });
    rmSync(own.path, { recursive: true });
    const second = await start(data, lua);
    expect(second.read("words")).toBe(script("shared"));
    expect(second.read("rules")).toBe(script("own"));
    expect(readFileSync(lockOf(data), "utf8")).toBe(lock);
  });

  it("stay at their commit until the entry is deleted, also where the files are gone", async () => {
    const data = createFolder();
    const own = createGitRepository();
    own.commit({ "rules.lua": script("old") });
    const lua = { plugins: [{ name: "rules", github: own.path }] };
    await start(data, lua);
    own.commit({ "rules.lua": script("new") });
    expect((await start(data, lua)).read("rules")).toBe(script("old"));
    rmSync(join(data, "lua_plugins"), { recursive: true });
    expect((await start(data, lua)).read("rules")).toBe(script("old"));
    const lock = readFileSync(lockOf(data), "utf8");
    writeFileSync(lockOf(data), lock.replace(/ *hash: .*\n/, ""));
    expect((await start(data, lua)).read("rules")).toBe(script("old"));
    expect(readFileSync(lockOf(data), "utf8")).toBe(lock);
    rmSync(lockOf(data));
    expect((await start(data, lua)).read("rules")).toBe(script("new"));
  });

  it("are refused when somebody changed them, until they are fetched anew", async () => {
    const data = createFolder();
    const own = createGitRepository();
    const commit = own.commit({ "rules.lua": script("good") });
    const lua = { plugins: [{ name: "rules", github: own.path }] };
    await start(data, lua);
    writeFileSync(join(data, "lua_plugins", "rules", commit, "rules.lua"), script("evil"));
    const changed = await start(data, lua);
    expect(() => changed.read("rules")).toThrow(
      expect.objectContaining({
        code: "HOOK_UNUSABLE",
        message: expect.stringMatching(
          /somebody changed them.*delete plugins\.rules in .*lua_plugins\.lock/,
        ) as string,
      }) as Error,
    );
    rmSync(lockOf(data));
    expect((await start(data, lua)).read("rules")).toBe(script("good"));
  });

  it("are refused when the repository gives other files for the pinned commit", async () => {
    const data = createFolder();
    const own = createGitRepository();
    own.commit({ "rules.lua": script("good") });
    const lua = { plugins: [{ name: "rules", github: own.path }] };
    await start(data, lua);
    const lock = readFileSync(lockOf(data), "utf8");
    writeFileSync(lockOf(data), lock.replace(/sha256:\w+/, `sha256:${"0".repeat(64)}`));
    rmSync(join(data, "lua_plugins"), { recursive: true });
    const scripts = await start(data, lua);
    expect(() => scripts.read("rules")).toThrow(/gives other files/);
  });

  it("are fetched for another ref, and stay as they were when that fails", async () => {
    const data = createFolder();
    const own = createGitRepository();
    own.commit({ "rules.lua": script("one") });
    own.git("branch", "stable");
    own.commit({ "rules.lua": script("two") });
    const at = (ref: string): Readonly<Record<string, unknown>> => ({
      plugins: [{ name: "rules", github: own.path, ref }],
    });
    expect((await start(data, at("stable"))).read("rules")).toBe(script("one"));
    expect((await start(data, at("none"))).read("rules")).toBe(script("one"));
    expect((await start(data, at("main"))).read("rules")).toBe(script("two"));
    rmSync(own.path, { recursive: true });
    expect((await start(data, at("stable"))).read("rules")).toBe(script("two"));
  });

  it("refuse what they were to check while they are not there, and come when the repository does", async () => {
    const data = createFolder();
    const own = createGitRepository();
    own.commit({ "rules.lua": script("late") });
    const hidden = join(createFolder(), "hidden");
    renameSync(own.path, hidden);
    const clock = createManualClock();
    const scripts = await start(data, { plugins: [{ name: "rules", github: own.path }] }, clock);
    expect(() => scripts.read("rules")).toThrow(/could not be fetched/);
    renameSync(hidden, own.path);
    await expect
      .poll(
        () => {
          clock.advance(60_000);
          try {
            return scripts.read("rules");
          } catch {
            return undefined;
          }
        },
        { timeout: 20_000, interval: 200 },
      )
      .toBe(script("late"));
  });

  it("never lead out of the repository, and are told by name when it has none such", async () => {
    const own = createGitRepository();
    const outside = createFolder();
    writeFileSync(join(outside, "rules.lua"), script("outside"));
    own.link("rules.lua", join(outside, "rules.lua"));
    own.commit({});
    const scripts = await start(createFolder(), {
      default_github: own.path,
      plugins: [{ name: "rules", github: own.path }, "words"],
    });
    expect(() => scripts.read("rules")).toThrow(/leads out of the repository/);
    expect(() => scripts.read("words")).toThrow(/has no words\/words\.lua/);
  });

  it("run like those of the folder, which come first", async () => {
    const own = createGitRepository();
    own.commit({ "rules/rules.lua": script("fetched"), "words/words.lua": script("fetched") });
    const directory = createFolder();
    writeFileSync(join(directory, "words.lua"), script("local"));
    const fetched = await start(createFolder(), {
      default_github: own.path,
      plugins: ["rules", "words", "none"],
    });
    await using scripts = createLuaScripts({
      directory,
      fetched,
      watch: true,
      limits: { memoryMb: 24, timeoutMs: 20_000, modelTimeoutMs: 1_000, maxModelCalls: 0 },
      environment: {},
      store: { get: () => Promise.resolve(undefined), set: () => Promise.resolve() },
      clock: systemClock,
      log,
    });
    const run = (name: string): Promise<unknown> =>
      scripts.run(
        name,
        "before",
        { message: "hi", metadata: {} },
        { askModel: () => Promise.resolve(""), log },
      );
    expect(scripts.list()).toEqual(["none", "rules", "words"]);
    expect(JSON.stringify(await run("rules"))).toContain("fetched hi");
    expect(JSON.stringify(await run("words"))).toContain("local hi");
    await expect(run("none")).rejects.toMatchObject({ code: "HOOK_UNUSABLE", script: "none" });
  });

  it("wait for a lock file that can be read", async () => {
    const data = createFolder();
    const own = createGitRepository();
    own.commit({ "rules.lua": script("good") });
    writeFileSync(lockOf(data), "plugins: {rules: {resolved: latest}}\n");
    const lua = { plugins: [{ name: "rules", github: own.path }] };
    const scripts = await start(data, lua);
    expect(() => scripts.read("rules")).toThrow(
      /lua_plugins\.lock cannot be used: rules has no commit/,
    );
    expect(readFileSync(lockOf(data), "utf8")).toContain("latest");
  });
});

it.each([
  [{ plugins: ["words"] }, /set its github, or lua\.default_github/],
  [{ plugins: [{ name: "../x", github: "a/b" }] }, /no name of a script/],
  [{ plugins: [{ name: "x", github: "--upload-pack=x" }] }, /lua\.plugins: x: .*no address/],
  [{ plugins: [{ name: "x", github: "a/b", ref: "--x" }] }, /no name of a branch/],
  [{ default_github: "a/b", plugins: ["x", "x"] }, /names x twice/],
])("%j ends the start", (lua, words) => {
  expect(() => open(createFolder(), lua)).toThrow(words);
});
