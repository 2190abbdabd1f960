import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { systemClock } from "../base/clock.ts";
import { openPostgresBeside } from "./postgres-beside.ts";
import { defaultStoreLimits, type Store } from "./ports.ts";
import { createPostgresStore } from "./postgres-store.ts";
import { openSqliteBeside } from "./sqlite-beside.ts";
import { createSqliteStore } from "./sqlite-store.ts";
import type { StateBeside } from "./state-beside.ts";
import { createMessage } from "./store.contract.ts";
import {
  findPostgresProblem,
  startPostgres,
  type PostgresServer,
} from "./testing/embedded-postgres.ts";

const clock = systemClock;
const limits = defaultStoreLimits;

interface Place {
  readonly open: () => Promise<Store>;
  readonly openBeside: () => Promise<StateBeside>;
}

function createDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "opentalon-beside-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function judgeOne(store: Store, id: string): Promise<void> {
  const outcome = await store.inbox.accept(createMessage(id), "console:room");
  if (outcome.kind === "duplicate") throw new Error("seen before");
  const numbers = { inputTokens: 10, outputTokens: 5, cost: 0.25, strongestCost: 1 };
  const names = { model: "p/small", strongestModel: "p/big", task: "chat", cause: "weight" };
  await store.commitTurn({
    entry: outcome.entry,
    reply: undefined,
    session: { appended: [] },
    usage: [],
    answers: [{ id, ...names, ...numbers, features: "", tried: [] }],
    signals: [{ answerId: id, accepted: true, weight: 1 }],
  });
}

function describeBeside(name: string, createPlace: () => Promise<Place>): void {
  describe(`${name}, beside a running program`, () => {
    it("is read and written while the program goes on", async () => {
      const place = await createPlace();
      await using store = await place.open();
      await judgeOne(store, "one");
      await using beside = await place.openBeside();
      expect(await beside.routing.totals(0)).toMatchObject([{ model: "p/small", answers: 1 }]);
      await judgeOne(store, "two");
      expect(await beside.routing.outcomes("", 10)).toMatchObject([{ id: "one" }, { id: "two" }]);
      await store.routing.save({ epoch: "0", content: "learnt" });
      await beside.routing.restart("empty");
      const now = await store.routing.load();
      expect(now?.content).toBe("empty");
      expect(now?.epoch).not.toBe("0");
      expect(await store.routing.save({ epoch: "0", content: "late" })).toBe(false);
      await judgeOne(store, "three");
    });

    it("is read when no program runs, and left so that one can start", async () => {
      const place = await createPlace();
      {
        await using store = await place.open();
        await judgeOne(store, "one");
      }
      {
        await using beside = await place.openBeside();
        expect(await beside.routing.totals(0)).toHaveLength(1);
      }
      await using store = await place.open();
      expect(await store.routing.totals(0)).toHaveLength(1);
    });
  });
}

describeBeside("SQLite", async () => {
  const dataDirectory = createDirectory();
  return {
    open: () => createSqliteStore({ dataDirectory, clock, limits }),
    openBeside: () => openSqliteBeside({ dataDirectory, clock }),
  };
});

describe("SQLite state that cannot be read beside", () => {
  it("because there is none is not made; the words say what to do", async () => {
    const dataDirectory = join(createDirectory(), "none");
    await expect(openSqliteBeside({ dataDirectory, clock })).rejects.toThrow(
      /no state of OpenTalon yet[^]*start OpenTalon once/,
    );
    expect(existsSync(dataDirectory)).toBe(false);
  });

  it("because an older program wrote it stays as it is", async () => {
    const dataDirectory = createDirectory();
    await (await createSqliteStore({ dataDirectory, clock, limits }))[Symbol.asyncDispose]();
    {
      using database = new DatabaseSync(join(dataDirectory, "state.db"));
      database.exec("DELETE FROM opentalon_schema WHERE version > 1");
    }
    await expect(openSqliteBeside({ dataDirectory, clock })).rejects.toThrow(
      /older OpenTalon[^]*start OpenTalon once/,
    );
  });

  it("because it is no database says so", async () => {
    const dataDirectory = createDirectory();
    writeFileSync(join(dataDirectory, "state.db"), "no database at all, only text ".repeat(100));
    await expect(openSqliteBeside({ dataDirectory, clock })).rejects.toMatchObject({
      code: "STORE_CORRUPT",
    });
    expect(readdirSync(dataDirectory)).toEqual(["state.db"]);
  });
});

const problem = findPostgresProblem();
describe.skipIf(problem !== undefined)(`PostgreSQL${problem ?? ""}`, () => {
  let server: PostgresServer | undefined;
  beforeAll(async () => {
    server = await startPostgres();
  }, 120_000);
  afterAll(() => server?.[Symbol.asyncDispose]());

  describeBeside("PostgreSQL", async () => {
    const dsn = (await server?.createDatabase()) ?? "";
    return {
      open: () => createPostgresStore({ dsn, clock, limits }),
      openBeside: () => openPostgresBeside({ dsn, clock }),
    };
  });

  it("an empty database is refused, and stays empty", async () => {
    const dsn = (await server?.createDatabase()) ?? "";
    await expect(openPostgresBeside({ dsn, clock })).rejects.toThrow(/start OpenTalon once/);
    await expect(openPostgresBeside({ dsn, clock })).rejects.toThrow(/no state of OpenTalon yet/);
  });
});
