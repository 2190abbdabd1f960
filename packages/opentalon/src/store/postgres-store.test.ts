import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../base/clock.ts";
import { defaultStoreLimits, type Store } from "./ports.ts";
import type { LockEvent } from "./postgres-lock.ts";
import { createPostgresStore, type PostgresStoreOptions } from "./postgres-store.ts";
import { createMessage, createReply, describeStore } from "./store.contract.ts";
import { findPostgresProblem, type PostgresServer, startPostgres } from "./testing/embedded-postgres.ts";

const problem = findPostgresProblem();
const reason = problem === undefined ? "" : ` (skipped: ${problem})`;

describe.skipIf(problem !== undefined)(`with a PostgreSQL server${reason}`, () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose](), 60_000);

  describeStore("PostgreSQL", async () => {
    const dsn = await server.createDatabase();
    return {
      open: (options) => createPostgresStore({ ...options, dsn }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  });

  describe("the PostgreSQL store", () => {
    let dsn: string;
    const open = (options: Partial<PostgresStoreOptions> = {}): Promise<Store> => {
      return createPostgresStore({ dsn, clock: systemClock, limits: defaultStoreLimits, ...options });
    };
    const query = async (sql: string): Promise<void> => {
      const client = new pg.Client({ connectionString: dsn });
      await client.connect();
      await client.query(sql).finally(() => client.end());
    };

    beforeEach(async () => {
      dsn = await server.createDatabase();
    });

    it("names the connection that holds the database", async () => {
      await using store = await open({ owner: "first-owner" });
      const opening = open();
      await expect(opening).rejects.toMatchObject({ code: "STORE_LOCKED" });
      await expect(opening).rejects.toThrow(/test_\d+ is in use by .*from 127\.0\.0\.1 \("opentalon first-owner"/);
      await store.keyValue.set("n", "k", "v");
    });

    it("keeps away from databases it cannot read", async () => {
      await query("CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (3)");
      await expect(open()).rejects.toMatchObject({ code: "STORE_FOREIGN" });
      await query("UPDATE schema_version SET version = 15");
      await (await open())[Symbol.asyncDispose]();
      await query("INSERT INTO opentalon_schema VALUES (9, '')");
      await expect(open()).rejects.toMatchObject({ code: "STORE_TOO_NEW" });
    });

    it("never shows the password, neither of a server that is not there nor of one that refuses", async () => {
      const failures = [
        open({ dsn: "postgres://user:hunter22@127.0.0.1:1/state" }),
        open({ dsn: dsn.replace("test-password", "hunter22") }),
        open({ dsn: "postgres://user:hunter22@[broken/state" }),
      ];
      const errors = (await Promise.allSettled(failures)).map((outcome) => outcome.status === "rejected" && outcome.reason);
      for (const error of errors) expect(error).toMatchObject({ code: "STORE_UNREACHABLE" });
      expect(String(errors[0])).toContain("127.0.0.1:1/state");
      expect(String(errors[1])).toContain(`127.0.0.1:${server.port}`);
      expect(JSON.stringify(errors.map(String))).not.toContain("hunter22");
    });

    it("goes on when the server comes back, and has its lock again", async () => {
      const events: LockEvent["kind"][] = [];
      await using store = await open({ onLockChange: ({ kind }) => void events.push(kind) });
      const outcome = await store.inbox.accept(createMessage("a"), "k");
      if (outcome.kind !== "accepted") throw new Error("not accepted");
      await server.stop();
      await expect(store.inbox.accept(createMessage("b"), "k")).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
      await expect(store.outbox.waiting()).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
      await server.start();
      await vi.waitFor(() => expect(events).toEqual(["lost", "regained"]), 15_000);
      expect((await store.inbox.accept(createMessage("b"), "k")).kind).toBe("accepted");
      const commit = { entry: outcome.entry, reply: createReply("hi"), session: { appended: [] }, usage: [] };
      expect(await store.commitTurn(commit)).toBeDefined();
      await expect(open()).rejects.toMatchObject({ code: "STORE_LOCKED" });
    });

    it("writes nothing more once another process has the lock", async () => {
      const events: LockEvent["kind"][] = [];
      await using store = await open({ onLockChange: ({ kind }) => void events.push(kind) });
      const intruder = new pg.Client({ connectionString: dsn });
      await intruder.connect();
      await intruder.query(
        `SELECT pg_terminate_backend(pid), pg_advisory_lock(classid::int, objid::int) FROM pg_locks
          WHERE locktype = 'advisory' AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      await vi.waitFor(() => expect(events).toEqual(["lost", "taken"]), 15_000);
      await expect(store.inbox.accept(createMessage("a"), "k")).rejects.toMatchObject({ code: "STORE_LOCKED" });
      await expect(store.keyValue.set("n", "k", "v")).rejects.toMatchObject({ code: "STORE_LOCKED" });
      expect(await store.keyValue.get("n", "k")).toBeUndefined();
      await intruder.end();
    });

    it("takes a message again whose fate a broken connection left open", async () => {
      await using store = await open();
      // The row is written, then the connection ends before the answer: nobody can know.
      await query(`
        CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$
          BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
        CREATE TRIGGER break BEFORE INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION break()`);
      const message = createMessage("a");
      await expect(store.inbox.accept(message, "k")).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
      await query("DROP TRIGGER break ON inbox");
      expect(await store.inbox.pending()).toBe(0);
      expect((await store.inbox.accept(message, "k")).kind).toBe("accepted");
      expect((await store.inbox.accept(message, "k")).kind).toBe("duplicate");
      expect(await store.inbox.pending()).toBe(1);
    });
  });
});
