import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isClean, runChaos } from "./support/chaos/run-chaos.ts";
import { createRandom } from "./support/random.ts";
import {
  createModelServer,
  type ModelServer,
} from "../packages/opentalon/src/providers/testing/model-server.ts";
import {
  findPostgresProblem,
  startPostgres,
  type PostgresServer,
} from "../packages/opentalon/src/store/testing/embedded-postgres.ts";
import { startCore } from "./support/core-process.ts";
import { readPluginJournal } from "./support/processes.ts";
import {
  createScratch,
  fakePlugin,
  toSkipNote,
  webhookChannel,
  type Scratch,
} from "./support/scratch.ts";
import { createWebhookPeer, type WebhookPeer } from "./support/webhook-peer.ts";

const patient = { timeout: 30_000 };

const countCalls = (journal: string, wanted: string): number =>
  readPluginJournal(journal).filter(({ action }) => action === wanted).length;

const readContents = ({ arrived }: WebhookPeer): readonly string[] =>
  arrived.map(({ content }) => content);

const postgresProblem = findPostgresProblem();

const engines = [
  { engine: "sqlite", name: "SQLite", problem: undefined },
  { engine: "postgres", name: "PostgreSQL", problem: postgresProblem },
] as const;

for (const { engine, name, problem } of engines) {
  describe.skipIf(problem !== undefined)(`on ${name}${toSkipNote(problem)}`, () => {
    let postgres: PostgresServer | undefined;

    beforeAll(async () => {
      if (engine === "postgres") postgres = await startPostgres();
    });
    afterAll(() => postgres?.[Symbol.asyncDispose]());

    /** Writes the configuration of a core over a webhook, with a state of its own. */
    const writeConfig = async (
      scratch: Scratch,
      models: ModelServer,
      peer: WebhookPeer,
      plugins: Readonly<Record<string, unknown>> = {},
    ): Promise<string> => {
      const dsn = await postgres?.createDatabase();
      return scratch.writeConfig(models.url, {
        ...webhookChannel(peer.url),
        plugins,
        state: {
          data_dir: scratch.stateFolder,
          ...(dsn === undefined ? {} : { db: { driver: "postgres", dsn } }),
        },
      });
    };

    it("no accepted message is lost, answered twice or out of order while the core is killed again and again", async () => {
      using scratch = createScratch();
      const folder = join(scratch.folder, "chaos");
      mkdirSync(folder);
      const dsn = await postgres?.createDatabase();
      const ledger = await runChaos({
        engine,
        ...(dsn === undefined ? {} : { dsn }),
        kills: 3,
        conversations: 4,
        folder,
        random: createRandom(7),
      });
      expect(isClean(ledger), JSON.stringify(ledger)).toBe(true);
      expect(ledger.reportedFailed).toBe(0);
      expect(ledger.answered).toBeGreaterThan(0);
    });

    it("a message delivered four times, also across a restart, is one turn and one reply", async () => {
      using scratch = createScratch();
      let door = "";
      await using peer = await createWebhookPeer({ channel: "web", door: () => door });
      await using models = await createModelServer();
      const configPath = await writeConfig(scratch, models, peer);
      const message = { id: "same", conversation: "c", content: "once" };
      {
        await using core = startCore({ configPath });
        door = await core.door();
        const posts = [message, message, message, message].map(peer.post);
        expect(await Promise.all(posts)).toEqual([202, 202, 202, 202]);
        await expect.poll(() => peer.arrived.length, patient).toBe(1);
        core.signal("SIGTERM");
        expect(await core.exited).toBe(0);
      }
      await using core = startCore({ configPath });
      door = await core.door();
      expect(await peer.post(message)).toBe(202);
      // One conversation is answered in order: when this one is, the other had its chance.
      expect(await peer.post({ ...message, id: "other", content: "last" })).toBe(202);
      await expect.poll(() => readContents(peer), patient).toContain("answer: last");
      expect(readContents(peer)).toEqual(["answer: once", "answer: last"]);
      expect(models.requests).toHaveLength(2);
    });

    it("a tool that ran when the core was killed is not run again, and the model is told that nobody knows", async () => {
      using scratch = createScratch();
      const journal = join(scratch.folder, "journal");
      let door = "";
      await using peer = await createWebhookPeer({ channel: "web", door: () => door });
      await using models = await createModelServer([
        { kind: "message", toolCalls: [{ name: "fake__hang", arguments: { text: "" } }] },
        { kind: "message", text: "I cannot tell whether it worked." },
      ]);
      const plugins = { fake: fakePlugin({ journal }) };
      const configPath = await writeConfig(scratch, models, peer, plugins);
      {
        await using core = startCore({ configPath });
        door = await core.door();
        expect(await peer.post({ id: "1", conversation: "c", content: "do it" })).toBe(202);
        await expect.poll(() => countCalls(journal, "hang"), patient).toBe(1);
        core.signal("SIGKILL");
        await core.exited;
      }
      await using core = startCore({ configPath });
      door = await core.door();
      await expect
        .poll(() => readContents(peer), patient)
        .toEqual(["I cannot tell whether it worked."]);
      expect(countCalls(journal, "hang")).toBe(1);
      expect(models.requests).toHaveLength(2);
      const told = models.requests[1]?.body.messages?.at(-1);
      expect(told?.role).toBe("tool");
      expect(told?.content).toMatch(/outcome of this call is unknown/);
    });

    it("a tool whose result was recorded is not run again, and the model gets the recorded result", async () => {
      using scratch = createScratch();
      const journal = join(scratch.folder, "journal");
      let door = "";
      await using peer = await createWebhookPeer({ channel: "web", door: () => door });
      await using models = await createModelServer([
        { kind: "message", toolCalls: [{ name: "fake__process", arguments: { text: "" } }] },
        { kind: "stall", at: "headers" },
        { kind: "message", text: "It is done." },
      ]);
      const plugins = { fake: fakePlugin({ journal }) };
      const configPath = await writeConfig(scratch, models, peer, plugins);
      {
        await using core = startCore({ configPath });
        door = await core.door();
        expect(await peer.post({ id: "1", conversation: "c", content: "do it" })).toBe(202);
        await expect.poll(() => models.requests.length, patient).toBe(2);
        core.signal("SIGKILL");
        await core.exited;
      }
      await using core = startCore({ configPath });
      door = await core.door();
      await expect.poll(() => readContents(peer), patient).toEqual(["It is done."]);
      expect(countCalls(journal, "process")).toBe(1);
      expect(models.requests).toHaveLength(3);
      const [before, after] = models.requests.slice(1).map(({ body }) => body.messages?.at(-1));
      expect(after?.role).toBe("tool");
      // The envelope is new each time; what is inside names the process that is gone.
      const [firstPid] = readPluginJournal(journal).map(({ pid }) => pid);
      expect(before?.content).toContain(`"pid":${firstPid}`);
      expect(after?.content).toContain(`"pid":${firstPid}`);
    });

    it("messages of one conversation are answered in their order, also those a killed core left behind", async () => {
      using scratch = createScratch();
      let door = "";
      await using peer = await createWebhookPeer({ channel: "web", door: () => door });
      await using models = await createModelServer({ kind: "stall", at: "headers" });
      const configPath = await writeConfig(scratch, models, peer);
      const numbers = Array.from({ length: 10 }, (_, index) => String(index + 1));
      const post = async (id: string): Promise<void> => {
        expect(await peer.post({ id, conversation: "c", content: `message ${id}` })).toBe(202);
      };
      {
        await using core = startCore({ configPath });
        door = await core.door();
        for (const number of numbers.slice(0, 6)) await post(number);
        await expect.poll(() => models.requests.length, patient).toBe(1);
        core.signal("SIGKILL");
        await core.exited;
      }
      models.setScript({ kind: "answer" });
      await using core = startCore({ configPath });
      door = await core.door();
      for (const number of numbers.slice(6)) await post(number);
      const expected = numbers.map((number) => `answer: message ${number}`);
      await expect.poll(() => readContents(peer), patient).toEqual(expected);
      const remembered = models.requests
        .at(-1)
        ?.body.messages?.slice(1)
        .map(({ content }) => content);
      const conversation = numbers.flatMap((number) => [
        `message ${number}`,
        `answer: message ${number}`,
      ]);
      expect(remembered).toEqual(conversation.slice(0, -1));
    });
  });
}
