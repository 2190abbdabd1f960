import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { blocksOf, readPage } from "../tooling/testing/page.ts";
import { startCore } from "./support/core-process.ts";
import { createCheckout, readTranscript, toComparable } from "./support/follow-page.ts";
import {
  findMissingLibraries,
  findMissingTool,
  type PluginLanguage,
  pluginLanguages,
  renewSources,
  runShell,
} from "./support/language-tools.ts";
import { isRunning } from "./support/processes.ts";
import { runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, root, toSkipNote } from "./support/scratch.ts";

/**
 * Plugins in every language this machine has: written by `opentalon plugin new`, tested by their own `make test`, and used
 * by the built program. `make test-languages` runs this file, apart from the others, because a first run compiles libraries.
 */

const checkout = createCheckout();
afterAll(() => checkout[Symbol.dispose]());
const page = "docs/guide/first-plugin.md";
const patienceMs = 15 * 60_000;

/** Runs `opentalon plugin new` as the guide says, for any kind. */
async function write(language: PluginLanguage, kind: string): Promise<string> {
  const folder = join(checkout.folder, `${language}-${kind}`);
  if (existsSync(folder)) return folder;
  const options = ["--lang", language, "--kind", kind, "--dir", folder];
  const run = await runOpenTalon({
    arguments: ["plugin", "new", "hello", ...options],
    folder: checkout.folder,
  });
  expect(run).toMatchObject({ code: 0, stderr: "" });
  return folder;
}

/** Runs a target of a project's own Makefile. */
async function make(target: string, project: string): Promise<void> {
  renewSources(project);
  const { code, output } = await runShell(`make ${target}`, project);
  expect(code, `make ${target} in ${project}: ${output}`).toBe(0);
}

/** Holds a program against the rules of its protocol, as its author can with `opentalon plugin test`. */
async function check(folder: string, kind: string): Promise<void> {
  const config = kind === "channel" ? { address: "127.0.0.1:0" } : {};
  const program = join(folder, kind === "channel" ? "hello-channel" : "hello-plugin");
  const options = ["--kind", kind === "hook" ? "tool" : kind, "--config", JSON.stringify(config)];
  const run = await runOpenTalon({
    arguments: ["plugin", "test", program, "--json", ...options],
    folder: checkout.folder,
  });
  const { rules } = JSON.parse(run.stdout) as {
    readonly rules: readonly { readonly outcome: string }[];
  };
  expect(rules.length).toBeGreaterThan(10);
  expect(rules.filter(({ outcome }) => outcome === "broken")).toEqual([]);
  expect(run.code).toBe(0);
}

async function findProblem(language: PluginLanguage): Promise<string | undefined> {
  return (
    findMissingTool(language) ??
    (await findMissingLibraries(language, await write(language, "tool")))
  );
}

const problems = new Map<PluginLanguage, string | undefined>();
for (const language of pluginLanguages) problems.set(language, await findProblem(language));

/** What the terminal shows for lines typed in a conversation. */
async function talk(configPath: string, typed: string, modelUrl?: string): Promise<string> {
  await using core = startCore({
    configPath,
    environment: { PRACTICE_MODEL_URL: modelUrl, DEEPSEEK_API_KEY: undefined },
  });
  core.write(typed);
  core.end();
  expect(await core.exited).toBe(0);
  expect(core.log.filter(({ msg, level }) => level >= 40 && /plugin/.test(msg))).toEqual([]);
  return toComparable(core.output());
}

describe.each(pluginLanguages)("a plugin in %s", (language) => {
  const problem = problems.get(language);
  const note = toSkipNote(problem);

  it.skipIf(problem !== undefined)(
    `is written, tested, built and used as the guide says${note}`,
    { timeout: patienceMs },
    async () => {
      await using practice = await createModelServer();
      const commands = blocksOf(readPage(page), "sh").flatMap((block) => block.trim().split("\n"));
      const making = commands.filter((line) => line.startsWith("make "));
      expect(making).toEqual(["make -C hello test", "make -C hello build"]);
      const write = commands.find((line) => line.includes(`--lang ${language} `)) ?? "";
      const [, ...words] = write.replace(/#.*/, "").trim().split(/\s+/);
      using guided = createCheckout();
      const { folder } = guided;
      expect(await runOpenTalon({ arguments: words, folder })).toMatchObject({ code: 0 });
      renewSources(join(folder, "hello"));
      for (const command of making)
        expect(await runShell(command, folder), command).toMatchObject({ code: 0 });
      const { typed, answered } = readTranscript(page);
      await check(join(folder, "hello"), "tool");
      expect(await talk(join(folder, "hello/config.yaml"), typed, practice.url)).toBe(answered);
    },
  );

  it.skipIf(problem !== undefined)(
    `of each other kind passes its own test and keeps the rules of its protocol${note}`,
    { timeout: patienceMs },
    async () => {
      for (const kind of ["hook", "provider", "channel"] as const) {
        const folder = await write(language, kind);
        await make("test", folder);
        await make("build", folder);
        await check(folder, kind);
      }
    },
  );

  it.skipIf(problem !== undefined)(
    `that is a hook changes and refuses messages${note}`,
    { timeout: patienceMs },
    async () => {
      const folder = await write(language, "hook");
      await make("build", folder);
      const said = await talk(join(folder, "config.yaml"), "my PTO\nher salary\n");
      expect(said).toContain("You said “my paid time off”");
      expect(said).toContain("Questions about salaries go to people@example.com.");
    },
  );

  it.skipIf(problem !== undefined)(
    `that is a provider answers${note}`,
    { timeout: patienceMs },
    async () => {
      const folder = await write(language, "provider");
      await make("build", folder);
      expect(await talk(join(folder, "config.yaml"), "good morning\n")).toBe(
        "You said: good morning\n",
      );
    },
  );

  it.skipIf(problem !== undefined)(
    `builds under the name OpenTalon asks for, and ends with the process that started it${note}`,
    { timeout: patienceMs },
    async () => {
      const folder = await write(language, "tool");
      await make("build BINARY_NAME=other", folder);
      using scratch = createScratch();
      const parent = spawn("sh", ["-c", '"$0" & echo $!; wait', join(folder, "other")], {
        env: { PATH: process.env["PATH"], HOME: scratch.folder, TMPDIR: scratch.folder },
        stdio: ["ignore", "pipe", "inherit"],
      });
      const lines: string[] = [];
      createInterface({ input: parent.stdout }).on("line", (line) => lines.push(line));
      await expect.poll(() => lines.length, { timeout: 30_000 }).toBe(2);
      const pid = Number(lines.find((line) => /^\d+$/.test(line)));
      const socket = lines.find((line) => line.startsWith("1|unix|"))?.slice("1|unix|".length);
      expect(socket).toMatch(/^\//);
      expect(isRunning(pid)).toBe(true);
      const ended = once(parent, "exit");
      parent.kill("SIGKILL");
      await ended;
      await expect.poll(() => isRunning(pid), { timeout: 30_000 }).toBe(false);
      expect(existsSync(dirname(socket ?? ""))).toBe(false);
    },
  );
});

describe.each(pluginLanguages)("the example in %s", (language) => {
  const problem = problems.get(language);
  const readme = "examples/08-four-languages/README.md";
  const { typed, answered } = readTranscript(readme);
  const lines = typed.split("\n").filter((line) => line !== "");

  it.skipIf(problem !== undefined)(
    `answers as its page says${toSkipNote(problem)}`,
    { timeout: patienceMs },
    async () => {
      const folder = join(checkout.folder, "examples/08-four-languages");
      if (language !== "typescript") await make("build", join(folder, language));
      await using practice = await createModelServer();
      const environment = { PRACTICE_MODEL_URL: practice.url, DEEPSEEK_API_KEY: undefined };
      // Those of the other languages may not be built here, and are missed in the log only.
      await using core = startCore({ configPath: join(folder, "config.yaml"), environment });
      const at = lines.findIndex((line) => line.includes(`hello-${language}__`));
      core.write(`${lines[at]}\n`);
      core.end();
      expect(await core.exited).toBe(0);
      expect(toComparable(core.output())).toBe(answered.split(/^(?=answer: )/m)[at]);
    },
  );
});

describe("the messages for plugins in Go", () => {
  const problem = problems.get("go");

  it.skipIf(problem !== undefined)(
    `are current: \`make generate\` changes nothing${toSkipNote(problem)}`,
    { timeout: patienceMs },
    async () => {
      using scratch = createScratch();
      const path = join(root, "node_modules/.bin");
      const command = `PATH="${path}:$PATH" buf generate --template buf.gen.go.yaml -o "${scratch.folder}"`;
      expect(await runShell(command, root)).toMatchObject({ code: 0 });
      const generated = "packages/plugin-sdk/templates/go/gen";
      const compared = `diff -r "${join(scratch.folder, generated)}" ${generated}`;
      expect(await runShell(compared, root)).toEqual({ code: 0, output: "" });
    },
  );
});

it("a project is not written over another one", async () => {
  const folder = await write("python", "tool");
  const again = await runOpenTalon({
    arguments: ["plugin", "new", "hello", "--lang", "python", "--dir", folder],
    folder: checkout.folder,
  });
  expect(again.code).toBe(1);
  expect(again.stderr).toMatch(/is not empty; choose another folder with --dir/);
});
