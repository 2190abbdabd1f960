import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import {
  findPostgresProblem,
  startPostgres,
  type PostgresServer,
} from "../packages/opentalon/src/store/testing/embedded-postgres.ts";
import { startCore } from "./support/core-process.ts";
import { runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, type Scratch, toSkipNote, webhookChannel } from "./support/scratch.ts";
import { createWebhookPeer, type WebhookPeer } from "./support/webhook-peer.ts";

const patient = { timeout: 30_000 };
const postgresProblem = findPostgresProblem();
const engines = [
  { engine: "sqlite", name: "SQLite", problem: undefined },
  { engine: "postgres", name: "PostgreSQL", problem: postgresProblem },
] as const;

const contentsOf = ({ arrived }: WebhookPeer): readonly string[] =>
  arrived.map(({ content }) => content);

for (const { engine, name, problem } of engines) {
  describe.skipIf(problem !== undefined)(`on ${name}${toSkipNote(problem)}`, () => {
    let postgres: PostgresServer | undefined;
    beforeAll(async () => {
      if (engine === "postgres") postgres = await startPostgres();
    });
    afterAll(() => postgres?.[Symbol.asyncDispose]());

    const writeConfig = async (
      scratch: Scratch,
      modelUrl: string,
      peer: WebhookPeer,
      orchestrator: Readonly<Record<string, unknown>> = {},
    ): Promise<string> => {
      const dsn = await postgres?.createDatabase();
      return scratch.writeConfig(modelUrl, {
        ...webhookChannel(peer.url),
        orchestrator,
        state: {
          data_dir: scratch.stateFolder,
          ...(dsn === undefined ? {} : { db: { driver: "postgres", dsn } }),
        },
      });
    };

    it("/stop ends the turn that runs, once and for all, and what waits goes on", async () => {
      using scratch = createScratch();
      let door = "";
      await using peer = await createWebhookPeer({ channel: "web", door: () => door });
      await using models = await createModelServer();
      models.setScript(({ body }) => {
        const last = body.messages?.at(-1)?.content;
        if (last === "long") return { kind: "stall", at: "mid-stream", text: "Once upon" };
        return { kind: "answer" };
      });
      const configPath = await writeConfig(scratch, models.url, peer);
      const say = (id: string, content: string) => peer.post({ id, conversation: "room", content });
      {
        await using core = startCore({ configPath });
        door = await core.door();
        await say("1", "/stop");
        await expect.poll(() => contentsOf(peer), patient).toHaveLength(1);
        expect(contentsOf(peer)[0]).toMatch(/^Nothing is being answered/);
        await say("2", "long");
        await expect.poll(() => models.requests.length, patient).toBe(1);
        await say("3", "next");
        expect(await say("4", "/stop")).toBe(202);
        // The platform repeats itself; that must not stop what comes next.
        expect(await say("4", "/stop")).toBe(202);
        await expect.poll(() => contentsOf(peer), patient).toHaveLength(3);
        expect(contentsOf(peer).slice(1)).toEqual(["Stopped.", "answer: next"]);
        expect(peer.arrived[1]?.metadata).toMatchObject({ in_reply_to: "4", action: "stop" });
        await expect.poll(() => models.requests[0]?.closedEarly(), patient).toBe(true);
        core.signal("SIGKILL");
        await core.exited;
      }
      await using core = startCore({ configPath });
      door = await core.door();
      await say("5", "after");
      await expect.poll(() => contentsOf(peer), patient).toHaveLength(4);
      expect(contentsOf(peer)[3]).toBe("answer: after");
      expect(models.requests).toHaveLength(3);
    });

    it("messages shortly after one another get one answer, also when the core is killed meanwhile", async () => {
      using scratch = createScratch();
      let door = "";
      await using peer = await createWebhookPeer({ channel: "web", door: () => door });
      await using models = await createModelServer();
      const configPath = await writeConfig(scratch, models.url, peer, {
        debounce_window: "1500ms",
      });
      const say = (id: string, content: string, sender = "ann") =>
        peer.post({ id, conversation: "room", content, sender });
      const sayAll = async (ids: readonly string[]): Promise<void> => {
        for (const id of ids) expect(await say(id, `part ${id}`)).toBe(202);
      };
      {
        await using core = startCore({ configPath });
        door = await core.door();
        await sayAll(["1", "2", "3"]);
        await expect.poll(() => contentsOf(peer), patient).toHaveLength(1);
        expect(contentsOf(peer)).toEqual(["answer: part 1\npart 2\npart 3"]);
        // Killed while they wait for further ones.
        await sayAll(["4", "5"]);
        core.signal("SIGKILL");
        await core.exited;
      }
      models.setScript({ kind: "stall", at: "headers" });
      {
        await using core = startCore({ configPath });
        door = await core.door();
        await expect.poll(() => models.requests.length, patient).toBe(2);
        // Killed while they are answered; a repeat changes nothing.
        await sayAll(["5"]);
        core.signal("SIGKILL");
        await core.exited;
      }
      models.setScript({ kind: "answer" });
      await using core = startCore({ configPath });
      door = await core.door();
      await sayAll(["4", "5"]);
      await say("6", "from bob", "bob");
      await say("7", "from ann", "ann");
      await expect.poll(() => contentsOf(peer), patient).toHaveLength(4);
      expect(contentsOf(peer).slice(1)).toEqual([
        "answer: part 4\npart 5",
        "answer: from bob",
        "answer: from ann",
      ]);
      expect(models.requests).toHaveLength(5);
    });
  });
}

describe("a piped console", () => {
  it("ends when all is answered, also what was answered together or stopped", async () => {
    using scratch = createScratch();
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url, {
      orchestrator: { debounce_window: "300ms" },
    });
    const type = (input: string) =>
      runOpenTalon({ arguments: ["--config", configPath], folder: scratch.folder, input });
    expect(await type("one\ntwo\n")).toMatchObject({ code: 0, stdout: "answer: one\ntwo\n" });
    expect(await type("one\ntwo\n/stop\n")).toMatchObject({ code: 0, stdout: "Stopped.\n" });
  });
});
