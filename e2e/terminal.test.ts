import { describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, toLocalProvider, toSkipNote } from "./support/scratch.ts";
import {
  ctrlC,
  ctrlD,
  findTerminalProblem,
  startOnTerminal,
  type PseudoTerminal,
} from "./support/pseudo-terminal.ts";

const patient = { timeout: 30_000 };
const problem = findTerminalProblem();

/** Waits until the prompt is the last thing that was drawn. */
const untilPrompted = async (terminal: PseudoTerminal): Promise<void> => {
  await expect.poll(() => terminal.text().endsWith("> "), patient).toBe(true);
};

describe.skipIf(problem !== undefined)(`on a terminal${toSkipNote(problem)}`, () => {
  it("the console greets, prompts, shows the answer, prompts again, and ends with Ctrl+D and exit code 0", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    await using terminal = startOnTerminal({
      configPath: scratch.writeConfig(models.url),
      folder: scratch.folder,
    });
    await untilPrompted(terminal);
    expect(terminal.text()).toMatch(/^OpenTalon \d+\.\d+\.\d+.*\n/);
    terminal.type("good morning\r");
    await expect.poll(terminal.text, patient).toContain("answer: good morning");
    await untilPrompted(terminal);
    terminal.type(ctrlD);
    expect(await terminal.exited).toBe(0);
    expect(models.requests).toHaveLength(1);
  });

  it("an answer is shown while it grows, and what becomes of it afterwards", async () => {
    using scratch = createScratch();
    await using models = await createModelServer({
      kind: "stall",
      at: "mid-stream",
      text: "these words came first",
    });
    const configPath = scratch.writeConfig(models.url, {
      models: {
        providers: { local: { ...toLocalProvider(models.url), retry: { max_attempts: 1 } } },
      },
      agent: { idle_timeout: "300ms" },
    });
    await using terminal = startOnTerminal({ configPath, folder: scratch.folder });
    await untilPrompted(terminal);
    terminal.type("go on\r");
    // They are no part of the final answer, so they were seen before it.
    await expect.poll(terminal.text, patient).toContain("these words came first");
    await expect.poll(terminal.text, patient).toMatch(/\(reference \w+\)/);
    await untilPrompted(terminal);
    terminal.type(ctrlD);
    expect(await terminal.exited).toBe(0);
  });

  it("Ctrl+C empties a line that has text, and ends with exit code 0 on an empty one", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    await using terminal = startOnTerminal({
      configPath: scratch.writeConfig(models.url),
      folder: scratch.folder,
    });
    await untilPrompted(terminal);
    terminal.type("never mind");
    await expect.poll(terminal.text, patient).toMatch(/> never mind$/);
    terminal.type(ctrlC);
    await untilPrompted(terminal);
    terminal.type(ctrlC);
    expect(await terminal.exited).toBe(0);
    expect(models.requests).toEqual([]);
  });

  it("what a model writes cannot take over the terminal", async () => {
    using scratch = createScratch();
    await using models = await createModelServer({
      kind: "message",
      text: ["before \u001b]0;owned\u0007\u001b[2J\u001b[31m", "after"],
    });
    await using terminal = startOnTerminal({
      configPath: scratch.writeConfig(models.url),
      folder: scratch.folder,
    });
    await untilPrompted(terminal);
    terminal.type("hi\r");
    await expect.poll(terminal.text, patient).toMatch(/before.*after/);
    await untilPrompted(terminal);
    terminal.type(ctrlD);
    expect(await terminal.exited).toBe(0);
    for (const sequence of ["\u001b]0;", "\u0007", "\u001b[2J", "\u001b[31m"]) {
      expect(terminal.drawn()).not.toContain(sequence);
    }
  });

  it("a line typed while an answer is under way is answered after it", async () => {
    using scratch = createScratch();
    const gate = Promise.withResolvers<void>();
    await using models = await createModelServer(async ({ index }) => {
      if (index === 0) await gate.promise;
      return { kind: "answer" };
    });
    await using terminal = startOnTerminal({
      configPath: scratch.writeConfig(models.url),
      folder: scratch.folder,
    });
    await untilPrompted(terminal);
    terminal.type("one\r");
    await expect.poll(() => models.requests.length, patient).toBe(1);
    terminal.type("two\r");
    gate.resolve();
    await expect.poll(terminal.text, patient).toMatch(/answer: one[^]*answer: two/);
    await untilPrompted(terminal);
    terminal.type(ctrlD);
    expect(await terminal.exited).toBe(0);
  });
});

describe("in a pipe", () => {
  it("the console writes answers and nothing else, without control sequences, whatever the environment says", async () => {
    using scratch = createScratch();
    await using models = await createModelServer({
      kind: "message",
      text: "\u001b[31mred\u001b[0m and plain",
    });
    const finished = await runOpenTalon({
      folder: scratch.folder,
      arguments: ["--config", scratch.writeConfig(models.url, { log: { level: "info" } })],
      environment: { TERM: "xterm-256color", COLORTERM: "truecolor", FORCE_COLOR: "3" },
      input: "hi\n",
    });
    expect(finished.code).toBe(0);
    expect(finished.stdout).toBe("red and plain\n");
    expect(finished.stderr).not.toContain("\u001b");
  });
});
