import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createModelServer } from "../packages/opentalon/src/providers/testing/model-server.ts";
import {
  findPostgresProblem,
  startPostgres,
  type PostgresServer,
} from "../packages/opentalon/src/store/testing/embedded-postgres.ts";
import { startCore } from "./support/core-process.ts";
import { type FinishedRun, runOpenTalon } from "./support/run-opentalon.ts";
import { createScratch, toSkipNote } from "./support/scratch.ts";
import { createWebhookPeer, type WebhookPeer } from "./support/webhook-peer.ts";

const patient = { timeout: 30_000 };
const postgresProblem = findPostgresProblem();
const engines = [
  { engine: "sqlite", name: "SQLite", problem: undefined },
  { engine: "postgres", name: "PostgreSQL", problem: postgresProblem },
] as const;

const contentsOf = ({ arrived }: WebhookPeer): readonly string[] =>
  arrived.map(({ content }) => content);
const codesOf = (peer: WebhookPeer): readonly string[] =>
  contentsOf(peer).flatMap((content) => /: ([A-Z2-9]{8})\n/.exec(content)?.[1] ?? []);

for (const { engine, name, problem } of engines) {
  describe.skipIf(problem !== undefined)(
    `on ${name}${toSkipNote(problem)}, a channel whose strangers need a code`,
    () => {
      let postgres: PostgresServer | undefined;
      beforeAll(async () => {
        if (engine === "postgres") postgres = await startPostgres();
      });
      afterAll(() => postgres?.[Symbol.asyncDispose]());

      it("lets a stranger talk once the operator has approved, also after a restart, until that is taken back", async () => {
        using scratch = createScratch();
        let door = "";
        await using peer = await createWebhookPeer({ channel: "web", door: () => door });
        await using models = await createModelServer();
        const dsn = await postgres?.createDatabase();
        const configPath = scratch.writeConfig(models.url, {
          channels: {
            web: {
              enabled: true,
              plugin: peer.url,
              access: { policy: "pairing", allow: ["ann"], approvers: ["web:ann"] },
            },
          },
          server: { addr: "127.0.0.1:0" },
          state: {
            data_dir: scratch.stateFolder,
            ...(dsn === undefined ? {} : { db: { driver: "postgres", dsn } }),
          },
        });
        const pairing = (...words: readonly string[]): Promise<FinishedRun> =>
          runOpenTalon({
            arguments: ["--config", configPath, "pairing", ...words],
            folder: scratch.folder,
          });
        let count = 0;
        const say = async (sender: string, content: string): Promise<void> => {
          count += 1;
          const posted = { id: String(count), conversation: sender, sender, content };
          expect(await peer.post(posted)).toBe(202);
        };
        const answer = (content: string) =>
          expect.poll(() => contentsOf(peer), patient).toContain(content);

        {
          await using core = startCore({ configPath });
          door = await core.door();
          await say("eve", "let me in");
          await expect.poll(() => codesOf(peer), patient).toHaveLength(1);
          await say("eve", "please");
          await say("ann", "hello");
          await answer("answer: hello");
          expect(codesOf(peer)).toHaveLength(1);
          expect(models.requests).toHaveLength(1);
          expect(JSON.stringify(core.log)).not.toContain("let me in");

          const wrong = await pairing("approve", "AAAAAAAA");
          expect(wrong.code).toBe(1);
          expect(wrong.stderr).toContain("no such code");
          const listed = await pairing("list", "--json");
          expect(JSON.parse(listed.stdout)).toMatchObject({
            requests: [{ code: codesOf(peer)[0], sender: "web:eve" }],
            approved: [],
          });
          expect(await pairing("approve", codesOf(peer)[0] ?? "")).toMatchObject({
            code: 0,
            stdout: "web:eve may talk now\n",
          });
          await expect.poll(() => contentsOf(peer).join(), patient).toContain("may talk to me now");
          await say("eve", "it is me");
          await answer("answer: it is me");

          // An approver lets somebody in from the conversation; others may not.
          await say("carl", "me too");
          await expect.poll(() => codesOf(peer), patient).toHaveLength(2);
          await say("eve", `/approve ${codesOf(peer)[1]}`);
          await answer("Only the operator and approvers may do that.");
          await say("ann", `/approve ${codesOf(peer)[1]}`);
          await answer("web:carl may talk now.");
          await say("carl", "thanks");
          await answer("answer: thanks");
        }
        {
          await using core = startCore({ configPath });
          door = await core.door();
          await say("eve", "still me");
          await answer("answer: still me");
          expect(await pairing("revoke", "web:eve")).toMatchObject({ code: 0 });
          const before = models.requests.length;
          await say("eve", "and now?");
          await say("ann", "/revoke web:carl");
          await answer("web:carl may not talk any more.");
          await say("carl", "hm");
          await say("ann", "last");
          await answer("answer: last");
          expect(models.requests).toHaveLength(before + 1);
        }
        // Without a running program the state is asked.
        const listed = await pairing("list", "--json");
        expect(JSON.parse(listed.stdout)).toMatchObject({ approved: [] });
      });
    },
  );
}

describe("a sender who writes too fast", () => {
  it("is told so once, and what is too much is not read", async () => {
    using scratch = createScratch();
    let door = "";
    await using peer = await createWebhookPeer({ channel: "web", door: () => door });
    await using models = await createModelServer();
    const configPath = scratch.writeConfig(models.url, {
      channels: {
        web: { enabled: true, plugin: peer.url, rate_limit: { messages: 3, per: "10m" } },
      },
      server: { addr: "127.0.0.1:0" },
    });
    await using core = startCore({ configPath });
    door = await core.door();
    for (let id = 1; id <= 8; id += 1) {
      const posted = { id: String(id), conversation: "room", content: `m${id}` };
      expect(await peer.post(posted)).toBe(202);
    }
    await peer.post({ id: "9", conversation: "room", sender: "bob", content: "from bob" });
    await expect.poll(() => contentsOf(peer), patient).toContain("answer: from bob");
    const told = contentsOf(peer).filter((content) => content.includes("3 messages in 10 min"));
    expect(told).toHaveLength(1);
    expect(models.requests).toHaveLength(4);
  });
});
