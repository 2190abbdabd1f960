import { copyFileSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Connection, Database } from "./database.ts";
import { createSqliteDatabase } from "./sqlite-database.ts";
import { type Statement, toStatement } from "./statement.ts";

describe("a SQLite database", () => {
  let directory: string;
  let database: Database;
  let insert: Statement<{ key: string; value: string }, unknown>;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "opentalon-database-"));
    database = createSqliteDatabase({
      file: join(directory, "state.db"),
      maxFileBytes: 4 * 1024 * 1024,
    });
    const table =
      "CREATE TABLE plugin_state (namespace TEXT, key TEXT PRIMARY KEY, value TEXT, updated_at_ms INTEGER)";
    await database.change(toStatement(table), {});
    insert = database.prepare((query, row: { key: string; value: string }) =>
      query
        .insertInto("plugin_state")
        .values({ namespace: "n", key: row.key, value: row.value, updated_at_ms: 0 }),
    );
  });
  afterEach(async () => {
    await database[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  const add = (key: string, value = "") => database.change(insert, { key, value });
  const keys = async (): Promise<string[]> => {
    const select = toStatement<{ key: string }>("SELECT key FROM plugin_state ORDER BY key");
    return (await database.rows(select, {})).map(({ key }) => key);
  };

  it("keeps the others when one unit of a group fails, and undoes all of that one", async () => {
    const outcomes = await Promise.allSettled([
      add("a"),
      database.write(async (connection) => {
        await connection.change(insert, { key: "undone", value: "" });
        throw new Error("half-way");
      }),
      add("b"),
      database.write(async (connection) => {
        await connection.change(insert, { key: "undone too", value: "" });
        await connection.change(insert, { key: "a", value: "taken" });
      }),
      add("c"),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(outcomes[1]).toMatchObject({ reason: { message: "half-way" } });
    expect(outcomes[3]).toMatchObject({ reason: { code: "STORE_FAILED" } });
    expect(await keys()).toEqual(["a", "b", "c"]);
  });

  describe("opened after a process that was killed", () => {
    const killed = (): string => {
      const file = join(directory, "killed.db");
      copyFileSync(join(directory, "state.db"), file);
      copyFileSync(join(directory, "state.db-wal"), `${file}-wal`);
      return file;
    };
    const selectKeys = toStatement<{ key: string }>("SELECT key FROM plugin_state ORDER BY key");

    it("builds on nothing that is only in the log", async () => {
      await add("a");
      const file = killed();
      expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
      await using reopened = createSqliteDatabase({ file });
      expect(statSync(`${file}-wal`).size).toBe(0);
      expect(await reopened.rows(selectKeys, {})).toEqual([{ key: "a" }]);
    });

    it("starts at once while somebody reads the file", async () => {
      await add("a");
      const file = killed();
      using reader = new DatabaseSync(file);
      reader.exec("BEGIN");
      reader.prepare("SELECT * FROM plugin_state").all();
      await using reopened = createSqliteDatabase({ file });
      expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
      await reopened.change(toStatement("UPDATE plugin_state SET key = 'b'"), {});
      expect(await reopened.rows(selectKeys, {})).toEqual([{ key: "b" }]);
    });
  });

  it("undoes a unit that fails alone", async () => {
    const failing = database.write(async (connection) => {
      await connection.change(insert, { key: "undone", value: "" });
      throw new Error("half-way");
    });
    await expect(failing).rejects.toThrow("half-way");
    expect(await keys()).toEqual([]);
    await add("next");
    expect(await keys()).toEqual(["next"]);
  });

  it("shows nobody what is not committed, and what is to everybody", async () => {
    let inside: (() => void) | undefined;
    const opened = new Promise<void>((resolve) => (inside = resolve));
    let finish: (() => void) | undefined;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    const writing = database.write(async (connection: Connection) => {
      await connection.change(insert, { key: "a", value: "" });
      inside?.();
      await gate;
    });
    await opened;
    expect(await keys()).toEqual([]);
    finish?.();
    await writing;
    expect(await keys()).toEqual(["a"]);
  });

  it("commits more units than fit into one group", async () => {
    await Promise.all(Array.from({ length: 1_000 }, (_, index) => add(String(index))));
    expect(await keys()).toHaveLength(1_000);
  });

  it("lets other events happen while somebody writes without a pause", async () => {
    let isStopped = false;
    const writer = (async () => {
      for (let index = 0; !isStopped; index += 1) await add(String(index));
    })();
    await new Promise((resolve) => setTimeout(resolve, 1));
    isStopped = true;
    await writer;
  });

  it("refuses a missing value instead of storing NULL, and values of other types", async () => {
    const bind = (value: unknown) => database.change(insert, { key: "k", value: value as string });
    await expect(database.change(insert, { key: "k" } as never)).rejects.toThrow(
      /value must be text/,
    );
    await expect(bind(undefined)).rejects.toThrow(/not undefined/);
    await expect(bind(new Date())).rejects.toThrow(/not object/);
    await expect(bind(Number.NaN)).rejects.toThrow(/not NaN/);
    await expect(bind(true)).rejects.toThrow(/not boolean/);
    expect(await keys()).toEqual([]);
  });

  it("says that it is full, keeps what was stored, and goes on when there is space again", async () => {
    const value = "x".repeat(100_000);
    let stored = 0;
    let failure: unknown;
    while (failure === undefined && stored < 1_000) {
      const outcomes = await Promise.allSettled([
        add(`a${stored}`, value),
        add(`b${stored}`, value),
        add(`c${stored}`),
      ]);
      for (const outcome of outcomes) {
        if (outcome.status === "fulfilled") stored += 1;
        else failure = outcome.reason;
      }
    }
    expect(failure).toMatchObject({ code: "STORE_FULL" });
    expect(String(failure)).toContain("state.db");
    expect(await keys()).toHaveLength(stored);
    await database.change(toStatement("DELETE FROM plugin_state WHERE key LIKE 'a%'"), {});
    await add("fits again", value);
    expect(await keys()).toContain("fits again");
  });
});
