import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { toFakeProviderCommand } from "../packages/opentalon/src/plugins/testing/fake-provider-options.ts";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { isRunning } from "./support/processes.ts";
import { createScratch, testKey, toLocalProvider, type Scratch } from "./support/scratch.ts";

interface Noted {
  readonly event: "started" | "listed" | "call" | "cancelled";
  readonly pid?: number;
}

/** A configuration whose main model is of a plugin, with the model server behind it. */
function configure(
  scratch: Scratch,
  modelUrl: string,
): { readonly configPath: string; readonly journal: () => readonly Noted[] } {
  const journal = join(scratch.folder, "journal");
  const models = [{ id: "parrot", inputCost: 1_000, outputCost: 2_000 }];
  const configPath = scratch.writeConfig(modelUrl, {
    models: {
      providers: {
        own: { plugin: toFakeProviderCommand({ models, journal }), api_key: testKey },
        local: toLocalProvider(modelUrl),
      },
    },
    routing: {
      primary: "own/parrot",
      fallbacks: ["local/test-model"],
      health: { interval: "100ms", recover_after: 1 },
    },
  });
  return {
    configPath,
    journal: () =>
      existsSync(journal)
        ? readFileSync(journal, "utf8")
            .split("\n")
            .slice(0, -1)
            .map((line) => JSON.parse(line) as Noted)
        : [],
  };
}

describe("a model of a provider plugin", () => {
  it("answers a message, and what it used is booked at its own prices", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const { configPath, journal } = configure(scratch, models.url);
    await using core = startCore({ configPath });
    core.write("good morning\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toBe("You said: good morning\n");
    expect(models.requests).toEqual([]);
    using database = new DatabaseSync(join(scratch.stateFolder, "state.db"), { readOnly: true });
    const rows = database
      .prepare(
        "SELECT model_id, input_tokens, output_tokens, input_cost, output_cost FROM profile_usage",
      )
      .all();
    expect(rows.map((row) => ({ ...row }))).toEqual([
      {
        model_id: "own/parrot",
        input_tokens: 11,
        output_tokens: 7,
        input_cost: 0.011,
        output_cost: 0.014,
      },
    ]);
    for (const { pid } of journal()) expect(pid !== undefined && isRunning(pid)).toBe(false);
    expect(core.otherErrors() + JSON.stringify(core.log)).not.toContain(testKey);
  });

  it("gives way to the next one when its plugin is killed inside an answer, and comes back", async () => {
    using scratch = createScratch();
    await using models = await createModelServer({ kind: "message", text: "A whole answer." });
    const { configPath, journal } = configure(scratch, models.url);
    await using core = startCore({ configPath });
    core.write("stall\n");
    const isAsked = (): boolean => journal().some(({ event }) => event === "call");
    await expect.poll(isAsked, { timeout: 30_000 }).toBe(true);
    const pid = journal().find(({ event }) => event === "started")?.pid ?? Number.NaN;
    process.kill(pid, "SIGKILL");
    await expect.poll(core.output, { timeout: 30_000 }).toMatch(/A whole answer\.\n$/);
    expect(core.output()).not.toMatch(/Half ?A/);
    expect(models.requests).toHaveLength(1);
    await core.logged(
      ({ msg, provider, restarts }) =>
        provider === "own" && msg === "Plugin ready" && restarts === 1,
    );
    await core.logged(({ msg }) => msg === "models are tried in their order again");
    core.write("are you back?\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toMatch(/You said: are you back\?\n$/);
  });
});
