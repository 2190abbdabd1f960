import { describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch, testKey, webhookChannel } from "./support/scratch.ts";
import { createWebhookPeer } from "./support/webhook-peer.ts";

/** A thousand tokens read cost a dollar. */
const pricedModels = (url: string) => ({
  models: {
    providers: {
      local: {
        base_url: url,
        api_key: testKey,
        models: [{ id: "test-model", features: ["tools"], cost: { input: 1_000, output: 1_000 } }],
        retry: { max_attempts: 1 },
      },
    },
  },
});
const costing = (dollars: number, text = "Done.") =>
  ({
    kind: "message",
    text,
    usage: { prompt: dollars * 1_000, completion: 0 },
  }) as const;

// That a new day renews a budget needs another clock: budget-guard.test.ts.
describe("budgets", () => {
  it("of a conversation warn once, refuse when used up, are shown, and begin anew with /clear", async () => {
    using scratch = createScratch();
    await using models = await createModelServer(costing(0.45));
    const configPath = scratch.writeConfig(models.url, {
      ...pricedModels(models.url),
      budgets: { session: { money: 1 } },
    });
    await using core = startCore({ configPath });
    core.write("one\ntwo\nthree\nfour\n/budget\n/clear\n/budget\nfive\n");
    core.end();
    expect(await core.exited).toBe(0);
    const lines = core.output().trimEnd().split("\n");
    expect(lines).toEqual([
      "Done.",
      "Done.",
      "",
      "(90 % of the budget of this conversation is used: $0.90 of $1.00; /clear begins a new one.)",
      "Done.",
      expect.stringMatching(
        /^The budget of this conversation is used up: \$1\.35 of \$1\.00\. \/clear .*budgets\.session\.money\. \(reference \w+\)$/,
      ),
      "This conversation: $1.35 of $1.00; /clear begins a new one",
      "Done: this conversation starts afresh.",
      "This conversation: $0.00 of $1.00; /clear begins a new one",
      "Done.",
    ]);
    expect(models.requests).toHaveLength(4);
    expect(core.log.filter(({ msg }) => msg.startsWith("a budget runs out"))).toHaveLength(1);
    // What the person was told beside the answer is no part of what the model is told.
    expect(JSON.stringify(models.requests)).not.toContain("is used");
  });

  it("of a person hold over conversations and restarts, for that person only", async () => {
    using scratch = createScratch();
    await using models = await createModelServer(costing(0.6));
    let door = "";
    await using peer = await createWebhookPeer({ channel: "web", door: () => door });
    const configPath = scratch.writeConfig(models.url, {
      ...pricedModels(models.url),
      ...webhookChannel(peer.url),
      budgets: { person: { money: 1, period: "month" }, warn_at: 0 },
    });
    const ask = async (ids: readonly string[], conversation: string, sender: string) => {
      await using core = startCore({ configPath });
      door = await core.door();
      const answers: (string | undefined)[] = [];
      for (const id of ids) {
        await peer.post({ id, conversation, sender, content: "hi" });
        const find = () => peer.arrived.find(({ metadata }) => metadata["in_reply_to"] === id);
        await expect.poll(find, { timeout: 60_000 }).toBeDefined();
        answers.push(find()?.content);
      }
      core.signal("SIGTERM");
      await core.exited;
      return answers;
    };
    expect(await ask(["1", "2"], "red", "ada")).toEqual(["Done.", "Done."]);
    const [refused] = await ask(["3"], "blue", "ada");
    expect(refused).toContain("Your budget for this month is used up: $1.20 of $1.00.");
    expect(await ask(["4"], "blue", "bob")).toEqual(["Done."]);
  });

  it("count a turn once that was killed in the middle of a call", async () => {
    using scratch = createScratch();
    await using models = await createModelServer([
      { kind: "stall", at: "first-token" },
      costing(0.25),
    ]);
    const configPath = scratch.writeConfig(models.url, {
      ...pricedModels(models.url),
      budgets: { total: { money: 1, period: "month" } },
    });
    {
      await using core = startCore({ configPath });
      core.write("hello\n");
      await expect.poll(() => models.requests.length, { timeout: 60_000 }).toBe(1);
      core.signal("SIGKILL");
      await core.exited;
    }
    await using core = startCore({ configPath });
    await expect.poll(() => core.output(), { timeout: 60_000 }).toContain("Done.");
    core.write("/budget\n");
    core.end();
    expect(await core.exited).toBe(0);
    expect(core.output()).toMatch(/Everybody, this month: \$0\.25 of \$1\.00; renewed on/);
  });
});
