import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import { startCore, type CoreProcess } from "./support/core-process.ts";
import { createScratch, root, toLocalProvider } from "./support/scratch.ts";

const toConfig = (cheap: string, strong: string) => ({
  routing: {},
  models: {
    providers: { cheap: toLocalProvider(cheap), strong: toLocalProvider(strong) },
    catalog: {
      "cheap/test-model": { alias: "small", weight: 90 },
      "strong/test-model": { alias: "big", weight: 10 },
    },
  },
});

interface Chat {
  readonly messages: readonly { readonly role: string; readonly content: string }[];
}

/** What a model was shown of the conversation, without the system prompt. */
const toShown = ({ body }: { readonly body: unknown }): readonly string[] =>
  (body as Chat).messages.filter(({ role }) => role !== "system").map(({ content }) => content);

/** Says one thing and waits for the answer's line. */
async function say(core: CoreProcess, text: string): Promise<string> {
  const before = core.output().length;
  core.write(`${text}\n`);
  await expect.poll(() => core.output().slice(before), { timeout: 20_000 }).toMatch(/\n$/);
  return core.output().slice(before).trim();
}

describe("the cheapest model that is good enough", () => {
  it("answers first; a rejected answer is replaced by that of the next one", async () => {
    using scratch = createScratch();
    await using cheap = await createModelServer({ kind: "message", text: "Sydney." });
    await using strong = await createModelServer({ kind: "message", text: "Canberra." });
    const configPath = scratch.writeConfig(cheap.url, toConfig(cheap.url, strong.url));
    await using core = startCore({ configPath });
    const question = "What is the capital of Australia?";
    expect(await say(core, question)).toBe("Sydney.");
    expect(await say(core, "no, try again")).toBe("Canberra.");
    expect(strong.requests.map(toShown)).toEqual([[question]]);
    expect(await say(core, "/why")).toMatch(
      /^strong\/test-model answered: the answer of cheap\/test-model was rejected\./,
    );
    await say(core, "Thanks! And how many people live there, roughly?");
    const asked = [...cheap.requests, ...strong.requests].map(toShown);
    const last = asked.find((shown) => shown.at(-1)?.includes("how many people"));
    expect(last?.slice(0, 2)).toEqual([question, "Canberra."]);
    core.end();
    expect(await core.exited).toBe(0);
  });

  it("is not led astray by preparers: another try is not a new message", async () => {
    using scratch = createScratch();
    await using cheap = await createModelServer({ kind: "message", text: "Hm." });
    await using strong = await createModelServer({ kind: "message", text: "Hello to you!" });
    const configPath = scratch.writeConfig(cheap.url, {
      ...toConfig(cheap.url, strong.url),
      orchestrator: {
        content_preparers: [{ plugin: "hello-world", action: "prepare", arg_key: "text" }],
      },
      plugins: {
        "hello-world": {
          enabled: true,
          plugin: join(root, "plugins/hello-world/hello-world-plugin"),
        },
      },
    });
    await using core = startCore({ configPath });
    expect(await say(core, "hello")).toBe("Hm.");
    expect(await say(core, "no, try again")).toBe("Hello to you!");
    // The same prepared words, which the plugin makes up anew each time it is asked.
    expect(strong.requests.map(toShown)).toEqual(cheap.requests.map(toShown));
    expect(toShown(strong.requests[0] ?? { body: {} })[0]).toMatch(/^hello world\s/);
  });

  it("is learnt from what people say, and a kill does not make it forget", async () => {
    using scratch = createScratch();
    await using cheap = await createModelServer({ kind: "message", text: "I do not know." });
    await using strong = await createModelServer({ kind: "message", text: "It is 42." });
    const configPath = scratch.writeConfig(cheap.url, toConfig(cheap.url, strong.url));
    {
      await using core = startCore({ configPath });
      let firstByStrong = 0;
      for (let round = 1; firstByStrong < 8; round += 1) {
        expect(round, "the first choice should have changed by now").toBeLessThan(80);
        if ((await say(core, `How much is ${round} and ${round * 7}?`)) === "It is 42.") {
          firstByStrong += 1;
          await say(core, "/good");
        } else {
          firstByStrong = 0;
          expect(await say(core, "that's wrong, try again")).toBe("It is 42.");
        }
        await say(core, "/new");
      }
      core.signal("SIGKILL");
      await core.exited;
    }
    await using core = startCore({ configPath });
    const answers: string[] = [];
    for (const number of [3, 5, 8, 13, 21]) {
      answers.push(await say(core, `How much is ${number} and ${number * 3}?`));
      await say(core, "/new");
    }
    expect(answers.filter((answer) => answer === "It is 42.").length).toBeGreaterThanOrEqual(4);
  });

  it("is left to the person where the person chooses", async () => {
    using scratch = createScratch();
    await using cheap = await createModelServer({ kind: "message", text: "cheap" });
    await using strong = await createModelServer({ kind: "message", text: "strong" });
    const configPath = scratch.writeConfig(cheap.url, toConfig(cheap.url, strong.url));
    await using core = startCore({ configPath });
    expect(await say(core, "--model big who are you?")).toBe("strong");
    expect(toShown(strong.requests[0] ?? { body: {} })).toEqual(["who are you?"]);
    expect(await say(core, "--model nope who are you?")).toMatch(/There is no model "nope"/);
    expect(await say(core, "/model big")).toMatch(/strong\/test-model answers from now on/);
    expect(await say(core, "a new topic")).toBe("strong");
    expect(await say(core, "/why")).toMatch(/you chose it with \/model/);
    expect(await say(core, "/retry")).toBe("strong");
  });
});
