import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findStatementStarts } from "./find-statement-starts.ts";
import { migratePluginDatabase } from "./migrate-plugin-database.ts";

describe("migrating a plugin's database", () => {
  let root: string;
  let file: string;
  let folder: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "opentalon-migrations-"));
    file = join(root, "p.db");
    folder = join(root, "migrations");
    mkdirSync(folder);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  const migrate = (): number => migratePluginDatabase({ file, folder });
  const query = (sql: string): unknown[] => {
    using database = new DatabaseSync(file);
    return database
      .prepare(sql)
      .all()
      .map((row) => Object.values(row)[0]);
  };

  it("applies each file once, in the order of names, and goes on with new ones", () => {
    write("002.sql", "INSERT INTO t VALUES ('two');");
    write("001.sql", "CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('one')");
    write("notes.txt", "no SQL");
    expect(migrate()).toBe(2);
    expect(migrate()).toBe(0);
    write("010.sql", "-- nothing but\n/* words */");
    write("003.sql", "INSERT INTO t VALUES ('three'); PRAGMA user_version = 3");
    expect(migrate()).toBe(2);
    expect(query("SELECT v FROM t")).toEqual(["one", "two", "three"]);
    expect(query("SELECT name FROM opentalon_migrations ORDER BY name")).toHaveLength(4);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it("refuses a file that changed, before it applies anything", () => {
    write("001.sql", "CREATE TABLE t (v TEXT)");
    migrate();
    write("001.sql", "CREATE TABLE t (v TEXT, w TEXT)");
    write("002.sql", "CREATE TABLE u (v TEXT)");
    expect(migrate).toThrow("001.sql has changed since it was applied");
    expect(query("SELECT name FROM sqlite_schema WHERE name = 'u'")).toEqual([]);
  });

  it("leaves nothing of a file that fails, says where, and keeps those before it", () => {
    write("001.sql", "CREATE TABLE t (v TEXT UNIQUE)");
    write(
      "002.sql",
      "INSERT INTO t VALUES ('a');\n\n-- again;\nINSERT INTO t\n VALUES ('a');\nDROP TABLE t;",
    );
    expect(migrate).toThrow("002.sql, line 4: UNIQUE constraint failed: t.v");
    expect(query("SELECT count(*) FROM t")).toEqual([0]);
    expect(query("SELECT name FROM opentalon_migrations")).toEqual(["001.sql"]);
    write("002.sql", "INSERT INTO t VALUES ('a')");
    expect(migrate()).toBe(1);
  });

  it.each([
    ["ATTACH DATABASE '%' AS other", /001\.sql, line 1: not authorized; a migration cannot attach/],
    ["VACUUM INTO '%'", /001\.sql, line 1: /],
    ["CREATE TABLE t (v); COMMIT; CREATE TABLE u (v)", /not authorized/],
    ["ROLLBACK; BEGIN", /not authorized/],
    ["SAVEPOINT a", /not authorized/],
    ["PRAGMA writable_schema = ON", /not authorized/],
    ["PRAGMA journal_mode = OFF", /not authorized/],
    ["SELECT load_extension('%')", /not authorized|no such function/],
    ["SELECT readfile('%')", /no such function/],
    ["CREATE TABLE u (v); SELECT * FROM nowhere", /line 1: no such table: nowhere/],
    ["this is not SQL", /001\.sql, line 1: near "this": syntax error/],
  ])("reaches nothing else, and ends no transaction: %s", (sql, words) => {
    const other = join(root, "other.db");
    writeFileSync(other, "");
    write("001.sql", sql.replace("%", other));
    expect(migrate).toThrow(words);
    expect(readFileSync(other, "utf8")).toBe("");
    expect(query("SELECT name FROM sqlite_schema WHERE name IN ('t', 'u')")).toEqual([]);
    expect(existsSync(`${file}-journal`)).toBe(false);
  });

  it("follows no links and opens nothing that is no database", () => {
    write("001.sql", "CREATE TABLE t (v)");
    const state = join(root, "state.db");
    new DatabaseSync(state).close();
    for (const ending of ["", "-journal", "-wal", "-shm"]) {
      symlinkSync(state, file + ending);
      expect(migrate).toThrow(`p.db${ending} is no plain file`);
      rmSync(file + ending);
    }
    expect(statSync(state).size).toBe(0);
    writeFileSync(file, "x".repeat(5_000));
    expect(migrate).toThrow("file is not a database");
    rmSync(file);
    symlinkSync("/etc/hostname", join(folder, "002.sql"));
    expect(migrate).toThrow("002.sql is no plain file");
    rmSync(join(folder, "002.sql"));
    write("002.sql", `--${"x".repeat(1_048_576)}`);
    expect(migrate).toThrow("002.sql has 1048578 bytes");
  });

  it("follows no link that is put there while it begins", async () => {
    write("001.sql", "CREATE TABLE t (v)");
    const state = join(root, "state.db");
    for (const path of [state, file]) {
      using database = new DatabaseSync(path);
      database.exec("CREATE TABLE other (v)");
    }
    const swapping = spawn(process.execPath, ["-e", swapForEver, file, state], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      await once(swapping.stdout, "data");
      for (let attempt = 0; attempt < 200; attempt += 1) {
        try {
          migrate();
        } catch {
          // It met the link, which is as good.
        }
      }
    } finally {
      swapping.kill("SIGKILL");
      await once(swapping, "exit");
    }
    using database = new DatabaseSync(state);
    expect(database.prepare("SELECT name FROM sqlite_schema").all()).toEqual([{ name: "other" }]);
  });
});

/** Puts a link to another file and the file itself in turn at one place. */
const swapForEver = `
  const { copyFileSync, linkSync, renameSync, symlinkSync } = require("node:fs");
  const [file, target] = process.argv.slice(1);
  copyFileSync(file, file + ".own");
  console.log("ready");
  for (;;) {
    symlinkSync(target, file + ".next");
    renameSync(file + ".next", file);
    linkSync(file + ".own", file + ".next");
    renameSync(file + ".next", file);
  }
`;

it("finds where statements begin", () => {
  const text = `-- first; not one
CREATE TABLE "a;b" (v TEXT DEFAULT ';' /* ; */);
 INSERT INTO [c;d] VALUES ('it''s;');
CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN
  SELECT 1;
  SELECT CASE WHEN 1 THEN 2 END;
END; ;
SELECT 'end'`;
  const lines = findStatementStarts(text).map((start) => text.slice(0, start).split("\n").length);
  expect(lines).toEqual([2, 3, 4, 8]);
  expect(findStatementStarts("")).toEqual([]);
  expect(findStatementStarts("SELECT 'open; ")).toEqual([0]);
});
