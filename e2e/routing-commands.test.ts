import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  createModelServer,
  type ModelServer,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { runOpenTalon, type FinishedRun } from "./support/run-opentalon.ts";
import { createScratch, testKey, type Scratch } from "./support/scratch.ts";

const patient = { timeout: 30_000 };

/** Two models of one server that say who they are: a cheap one that is asked first, and a strong one. */
function writeConfig(scratch: Scratch, models: ModelServer, more: object = {}): string {
  models.setScript(({ body }) => {
    const asked = body.messages?.at(-1)?.content;
    return { kind: "message", text: `${body.model}: ${String(asked)}` };
  });
  const provider = {
    base_url: models.url,
    api_key: testKey,
    models: [
      { id: "small", cost: { input: 1, output: 2 } },
      { id: "big", cost: { input: 10, output: 20 } },
    ],
    retry: { max_attempts: 2, base_delay: "10ms" },
  };
  const catalog = { "p/small": { weight: 90, alias: "cheap" }, "p/big": { weight: 10 } };
  return scratch.writeConfig(models.url, {
    models: { providers: { p: provider }, catalog },
    routing: {},
    ...more,
  });
}

interface Report {
  readonly choices: readonly string[];
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly total: Readonly<Record<string, unknown>>;
}

interface View {
  readonly judgements: number;
  readonly tasks: readonly { readonly task: string; readonly first: string }[];
}

function commandLine(scratch: Scratch, configPath: string) {
  const run = (...command: string[]): Promise<FinishedRun> =>
    runOpenTalon({ arguments: ["--config", configPath, ...command], folder: scratch.folder });
  const runJson = async (...command: string[]): Promise<unknown> => {
    const { code, stdout, stderr } = await run(...command, "--json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return JSON.parse(stdout);
  };
  return { run, runJson };
}

describe("what routing did", () => {
  it("is reported, shown, replayed and forgotten, while the program runs and after it", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = writeConfig(scratch, models);
    const { run, runJson } = commandLine(scratch, configPath);
    {
      await using core = startCore({ configPath });
      core.write("hello\n/retry\n/good\n");
      await expect.poll(() => core.output(), patient).toMatch(/small: hello\n[^]*big: hello\n.+\n/);
      const report = (await runJson("routing", "report", "--since", "1d")) as Report;
      expect(report.choices).toEqual(["p/small", "p/big"]);
      expect(report.rows).toMatchObject([
        { task: "chat", model: "p/big", answers: 1, accepted: 1, rejected: 0, saved: 0 },
        { task: "chat", model: "p/small", answers: 1, accepted: 0, rejected: 1 },
      ]);
      expect(report.total).toMatchObject({ answers: 2, accepted: 1, rejected: 1 });
      expect((await runJson("affinity", "show")) as View).toMatchObject({ judgements: 2 });

      expect(await run("affinity", "reset")).toMatchObject({ code: 1, stdout: "" });
      expect((await runJson("affinity", "show")) as View).toMatchObject({ judgements: 2 });
      expect(await run("affinity", "reset", "--yes")).toMatchObject({ code: 0, stderr: "" });
      const forgotten = (await runJson("affinity", "show")) as View;
      expect(forgotten.judgements).toBe(0);
      expect(forgotten.tasks.map(({ first }) => first)).toEqual(Array(6).fill("p/small"));
      // The program, which has not been told, goes on, and what it hears now counts.
      core.write("and now\n/good\n");
      core.end();
      expect(await core.exited).toBe(0);
    }
    expect((await runJson("affinity", "show")) as View).toMatchObject({ judgements: 1 });
    const replay = await runJson("routing", "replay");
    expect(replay).toMatchObject({
      judgements: 3,
      total: { questions: 2, measured: { accepted: 1 } },
    });

    const table = await run("routing", "report");
    expect(table.stdout).toMatch(/^task +model +answers[^]*\ntotal +3 /);
    expect((await run("affinity", "show")).stdout).toMatch(/\* +p\/small/);
    expect((await run("routing", "replay")).stdout).toContain("2 judged questions");
  });

  it("cannot be told where no state is, nor where there is nothing to choose", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url);
    const { run } = commandLine(scratch, configPath);
    const early = await run("routing", "report");
    expect(early).toMatchObject({ code: 1, stdout: "" });
    expect(early.stderr).toContain("start OpenTalon once");
    expect(existsSync(scratch.stateFolder)).toBe(false);
    {
      await using core = startCore({ configPath });
      core.write("hello\n");
      core.end();
      expect(await core.exited).toBe(0);
    }
    const report = await run("routing", "report");
    expect(report.code).toBe(0);
    expect(report.stdout).toMatch(/Nothing was recorded[^]*two models with a weight/);
    expect((await run("affinity", "show")).stdout).toContain("two models with a weight");
    expect((await run("routing", "replay")).stdout).toContain("two models with a weight");
    expect((await run("routing", "report", "--since", "long ago")).code).toBe(1);
  });
});

describe("opentalon complete", () => {
  it("prints the answer and nothing else, from arguments or standard input, and leaves nothing behind", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = writeConfig(scratch, models);
    const { run } = commandLine(scratch, configPath);
    expect(await run("complete", "how", "are you")).toEqual({
      code: 0,
      stdout: "small: how are you\n",
      stderr: "",
    });
    const piped = await runOpenTalon({
      arguments: ["complete", "--config", configPath, "--model", "big", "--system", "be brief"],
      folder: scratch.folder,
      input: "from a file",
    });
    expect(piped).toEqual({ code: 0, stdout: "big: from a file\n", stderr: "" });
    expect(models.requests.at(-1)?.body.messages?.[0]).toEqual({
      role: "system",
      content: "be brief",
    });
    const told = await run("complete", "--verbose", "--model", "cheap", "hi");
    expect(told.stdout).toBe("small: hi\n");
    expect(told.stderr).toMatch(/p\/small answered[^]*tokens read/);
    expect(existsSync(scratch.stateFolder)).toBe(false);
  });

  it("gives the whole answer of the next model when one breaks off", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = writeConfig(scratch, models);
    models.setScript(({ body }) =>
      body.model === "small"
        ? { kind: "reset", at: "mid-stream", text: "half of" }
        : { kind: "message", text: "all of it" },
    );
    const { run } = commandLine(scratch, configPath);
    expect(await run("complete", "hi")).toMatchObject({ code: 0, stdout: "all of it\n" });
  });

  it("fails with a reason and without a key in it", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = writeConfig(scratch, models);
    const { run } = commandLine(scratch, configPath);
    const unknown = await run("complete", "--model", "nope", "hi");
    expect(unknown).toMatchObject({ code: 1, stdout: "" });
    expect(unknown.stderr).toMatch(/no model "nope"[^]*p\/small[^]*p\/big/);
    expect(await run("complete")).toMatchObject({ code: 1, stdout: "" });
    models.setScript({ kind: "error", status: 401, body: { error: { message: testKey } } });
    const refused = await run("complete", "--verbose", "hi");
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("PROVIDER_UNAUTHORIZED");
    expect(refused.stderr).not.toContain(testKey);
  });
});

describe("opentalon --model", () => {
  it("answers where nobody chose another model", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = writeConfig(scratch, models);
    await using core = startCore({ configPath, arguments: ["--model", "big"] });
    core.write("one\n/why\n/model small\ntwo\n/model auto\nthree\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toMatch(
      /^big: one\n.*you started OpenTalon with --model.*\n.*\nsmall: two\n.*\nbig: three\n$/,
    );
  });

  it("that names no model ends the start and lists those there are", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const { run } = commandLine(scratch, writeConfig(scratch, models));
    const { code, stderr } = await run("--model", "nope");
    expect(code).toBe(1);
    expect(stderr).toMatch(/no model "nope", which --model names[^]*p\/small[^]*p\/big/);
  });
});
