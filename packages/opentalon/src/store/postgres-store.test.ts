import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../base/clock.ts";
import { defaultStoreLimits, type Store } from "./ports.ts";
import type { LockEvent } from "./postgres-lock.ts";
import { createPostgresStore, type PostgresStoreOptions } from "./postgres-store.ts";
import { describeBudgetStore } from "./budget-store.contract.ts";
import { describePluginState } from "./plugin-state.contract.ts";
import { describeRoutingStore } from "./routing-store.contract.ts";
import { createMessage, createReply, describeStore, type StorePlace } from "./store.contract.ts";
import {
  findPostgresProblem,
  type PostgresServer,
  startPostgres,
} from "./testing/embedded-postgres.ts";

const problem = findPostgresProblem();
const reason = problem === undefined ? "" : ` (skipped: ${problem})`;

describe.skipIf(problem !== undefined)(`with a PostgreSQL server${reason}`, () => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose](), 60_000);

  const createPlace = async (): Promise<StorePlace> => {
    const dsn = await server.createDatabase();
    return {
      open: (options) => createPostgresStore({ ...options, dsn }),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  };
  describeStore("PostgreSQL", createPlace);
  describeBudgetStore("PostgreSQL", createPlace);
  describeRoutingStore("PostgreSQL", createPlace);
  describePluginState("PostgreSQL", createPlace);

  describe("the PostgreSQL store", () => {
    let dsn: string;
    const open = (options: Partial<PostgresStoreOptions> = {}): Promise<Store> => {
      return createPostgresStore({
        dsn,
        clock: systemClock,
        limits: defaultStoreLimits,
        ...options,
      });
    };
    const query = async (sql: string): Promise<void> => {
      const client = new pg.Client({ connectionString: dsn });
      await client.connect();
      await client.query(sql);
      await client.end();
    };

    beforeEach(async () => {
      dsn = await server.createDatabase();
    });

    it("names the connection that holds the database", async () => {
      await using store = await open({ owner: "first-owner" });
      const opening = open();
      await expect(opening).rejects.toMatchObject({ code: "STORE_LOCKED" });
      await expect(opening).rejects.toThrow(
        /test_\d+ is in use by .*from 127\.0\.0\.1 \("opentalon first-owner"/,
      );
      await store.keyValue.set("n", "k", "v");
    });

    it("keeps away from databases it cannot read", async () => {
      await query(
        "CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (3)",
      );
      await expect(open()).rejects.toMatchObject({ code: "STORE_FOREIGN" });
      await query("ALTER TABLE schema_version RENAME TO messages");
      await expect(open()).rejects.toThrow(/another program \(it has a table "messages"\)/);
      await query("ALTER TABLE messages RENAME TO schema_version");
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
      const errors = (await Promise.allSettled(failures)).map((outcome): unknown =>
        outcome.status === "rejected" ? outcome.reason : undefined,
      );
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
      await expect(store.inbox.accept(createMessage("b"), "k")).rejects.toMatchObject({
        code: "STORE_UNREACHABLE",
      });
      await expect(store.outbox.waiting()).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
      await server.start();
      await vi.waitFor(() => expect(events).toEqual(["lost", "regained"]), 15_000);
      expect((await store.inbox.accept(createMessage("b"), "k")).kind).toBe("accepted");
      const commit = {
        entry: outcome.entry,
        reply: createReply("hi"),
        session: { appended: [] },
        usage: [],
      };
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
      await expect(store.inbox.accept(createMessage("a"), "k")).rejects.toMatchObject({
        code: "STORE_LOCKED",
      });
      await expect(store.keyValue.set("n", "k", "v")).rejects.toMatchObject({
        code: "STORE_LOCKED",
      });
      expect(await store.keyValue.get("n", "k")).toBeUndefined();
      await intruder.end();
    });

    describe("behind a network that loses an answer", () => {
      let proxy: LossyProxy;

      beforeEach(async () => {
        proxy = await startLossyProxy(server.port);
        dsn = dsn.replace(`:${server.port}/`, `:${proxy.port}/`);
      });
      afterEach(() => proxy[Symbol.asyncDispose]());

      it.each(["before", "after"] as const)(
        "takes a message again that broke off %s it was stored",
        async (moment) => {
          await using store = await open();
          const message = createMessage("a");
          proxy.cut('insert into "inbox"', moment);
          await expect(store.inbox.accept(message, "k")).rejects.toMatchObject({
            code: "STORE_UNREACHABLE",
          });
          expect(await store.inbox.pending()).toBe(0);
          const outcome = await store.inbox.accept(message, "k");
          if (outcome.kind !== "accepted") throw new Error("not accepted");
          expect(await store.inbox.accept(message, "k")).toEqual({ kind: "duplicate" });
          expect(await store.inbox.pending()).toBe(1);
          await store.journal.begin(outcome.entry.id, "step");
        },
      );

      it.each(["before", "after"] as const)(
        "commits a turn once that broke off %s its commit",
        async (moment) => {
          await using store = await open();
          const outcome = await store.inbox.accept(createMessage("a"), "k");
          if (outcome.kind !== "accepted") throw new Error("not accepted");
          const session = { appended: [{ role: "user", content: "question" } as const] };
          const commit = { entry: outcome.entry, reply: createReply("hi"), session, usage: [] };
          proxy.cut("COMMIT", moment);
          await expect(store.commitTurn(commit)).rejects.toMatchObject({
            code: "STORE_UNREACHABLE",
          });
          const delivery = await store.commitTurn(commit);
          expect(await store.outbox.waiting()).toEqual([delivery]);
          expect((await store.sessions.load("k", 0)).messages).toEqual(session.appended);
          expect(await store.inbox.pending()).toBe(0);
        },
      );
    });
  });
});

interface LossyProxy {
  readonly port: number;
  /** Breaks the connection that next sends `text`: before the server gets it, or when it answers. */
  readonly cut: (text: string, moment: "before" | "after") => void;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

async function startLossyProxy(serverPort: number): Promise<LossyProxy> {
  const sockets = new Set<Socket>();
  let planned: { text: string; moment: "before" | "after" } | undefined;
  const proxy = createServer((client) => {
    const upstream = connect(serverPort, "127.0.0.1");
    let isCutting = false;
    const end = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => (sockets.delete(socket), end()));
    }
    client.on("data", (bytes) => {
      if (planned !== undefined && bytes.includes(planned.text)) {
        isCutting = true;
        const { moment } = planned;
        planned = undefined;
        if (moment === "before") return end();
      }
      upstream.write(bytes);
    });
    upstream.on("data", (bytes) => (isCutting ? end() : client.write(bytes)));
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    port: (proxy.address() as AddressInfo).port,
    cut: (text, moment) => {
      planned = { text, moment };
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, "close");
    },
  };
}
