import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createModelServer,
  type ModelServer,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import { type Browser, findBrowserProblem, startBrowser } from "./support/browser.ts";
import { startCore } from "./support/core-process.ts";
import { createScratch, toSkipNote } from "./support/scratch.ts";

const patient = { timeout: 60_000, interval: 100 };
const token = "the-token-of-this-chat";
const problem = findBrowserProblem();

/** Pictures of what the page looks like, for people, where they ask for them. */
const pictures = process.env["OPENTALON_PICTURES"];

describe.skipIf(problem !== undefined)(`the web chat in a browser${toSkipNote(problem)}`, () => {
  let browser: Browser;
  let models: ModelServer;

  beforeAll(async () => {
    browser = await startBrowser();
    models = await createModelServer();
  });
  afterAll(async () => {
    await browser[Symbol.asyncDispose]();
    await models[Symbol.asyncDispose]();
  });

  const read = async (selector: string): Promise<readonly string[]> =>
    JSON.parse(
      String(
        await browser.evaluate(
          `JSON.stringify([...document.querySelectorAll(${JSON.stringify(selector)})].map((each) => each.textContent))`,
        ),
      ),
    ) as string[];
  const say = async (text: string): Promise<void> => {
    await browser.evaluate(
      `document.getElementById("text").value = ${JSON.stringify(text)}; document.getElementById("compose").requestSubmit()`,
    );
  };
  const isShown = async (id: string): Promise<unknown> =>
    browser.evaluate(`document.getElementById(${JSON.stringify(id)})?.hidden === false`);
  const capture = async (name: string): Promise<void> => {
    if (pictures !== undefined) writeFileSync(`${pictures}/${name}.png`, await browser.capture());
  };

  it("asks for the token, talks, shows text as text, and goes on after a reload and a restart", async () => {
    using scratch = createScratch();
    const configPath = scratch.writeConfig(models.url, {
      channels: { web: { enabled: true, plugin: "webchat", config: { token, title: "Ask us" } } },
      server: { addr: "127.0.0.1:0" },
    });
    let core = startCore({ configPath });
    try {
      const door = await core.door();
      await browser.show({ width: 900, height: 700, scheme: "light" });
      await browser.open(`http://${door}/chat/web/`);
      await expect.poll(() => isShown("door"), patient).toBe(true);
      await browser.evaluate(
        `document.getElementById("token").value = "wrong"; document.getElementById("door").requestSubmit()`,
      );
      await expect
        .poll(() => read("#asking"), patient)
        .toEqual(["That was not the token. Try again."]);
      await capture("token");
      await browser.evaluate(
        `document.getElementById("token").value = ${JSON.stringify(token)}; document.getElementById("door").requestSubmit()`,
      );
      await expect.poll(() => read("#state"), patient).toEqual([""]);
      const attack = `<img src=x onerror="document.title='owned'"> [a](javascript:alert(1)) **bold** \`code\` https://example.com/x`;
      await say(attack);
      await expect
        .poll(() => read(".assistant > div:first-child"), patient)
        .toEqual([
          `answer: <img src=x onerror="document.title='owned'"> [a](javascript:alert(1)) bold code https://example.com/x`,
        ]);
      expect(await read(".assistant strong")).toEqual(["bold"]);
      expect(await read(".assistant a")).toEqual(["https://example.com/x"]);
      expect(await browser.evaluate("document.title")).toBe("Ask us");
      expect(await browser.evaluate("document.images.length")).toBe(0);
      expect(
        await browser.evaluate(`document.cookie + JSON.stringify(localStorage)`),
      ).not.toContain(token);
      await say("# Title\n\n1. one\n2. two\n\n```js\nconst a = '<b>';\n```\n\n- point");
      await expect.poll(() => read(".assistant pre"), patient).toEqual(["const a = '<b>';"]);
      // The last answer is asked for again: that is a reaction, not a message.
      await browser.evaluate(
        `[...document.querySelectorAll('.assistant [title="Answer again"]')].at(-1).click()`,
      );
      await expect.poll(() => read(".assistant"), patient).toHaveLength(3);
      expect(await read(".person")).toHaveLength(2);
      await browser.show({ width: 390, height: 780, scheme: "dark" });
      await capture("dark-phone");
      await browser.show({ width: 900, height: 700, scheme: "light" });
      await capture("light");

      core.signal("SIGKILL");
      await core.exited;
      await expect.poll(() => read("#state"), patient).toEqual(["not connected; trying again …"]);
      const fixed = scratch.writeConfig(models.url, {
        channels: { web: { enabled: true, plugin: "webchat", config: { token, title: "Ask us" } } },
        server: { addr: door },
      });
      await say("said while it was away");
      core = startCore({ configPath: fixed });
      await expect.poll(() => read(".assistant"), patient).toHaveLength(4);
      await browser.open(`http://${door}/chat/web/`);
      await expect.poll(() => read(".assistant"), patient).toHaveLength(4);
      expect(await read(".person")).toHaveLength(3);
      expect((await read(".person")).at(-1)).toBe("said while it was away");
      // Nothing was asked for that the policy forbids, and nothing threw.
      expect(browser.complaints.filter((text) => /Content Security|exception/i.test(text))).toEqual(
        [],
      );
    } finally {
      await core[Symbol.asyncDispose]();
    }
  });
});
