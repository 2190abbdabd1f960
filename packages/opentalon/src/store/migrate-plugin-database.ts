/**
 * Gets: the database file of one plugin and the folder with its migrations. Gives: the file with all of them applied.
 * Never: lets a migration reach another file, and never changes anything with one that fails.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  constants as fs,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { constants, DatabaseSync } from "node:sqlite";
import { StoreError, toMessage } from "../base/errors.ts";
import { findStatementStarts } from "./find-statement-starts.ts";

export interface PluginMigrations {
  /** Made when missing, readable by its owner only. */
  readonly file: string;
  /** Its files `*.sql` are applied in the order of their names, once each. */
  readonly folder: string;
}

interface Migration {
  readonly name: string;
  readonly text: string;
  readonly sha256: string;
}

const maxMigrations = 1_000;
const maxMigrationBytes = 1024 * 1024;
const busyTimeoutMs = 5_000;

/**
 * Applies what was not applied before, each file in a transaction of its own.
 * @returns how many were applied.
 * @throws StoreError that names the file and, where it is known, the line.
 */
export function migratePluginDatabase({ file, folder }: PluginMigrations): number {
  const migrations = readMigrations(folder);
  const database = open(file);
  try {
    return apply(database, migrations);
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw fail(`${file}: ${toMessage(error)}`);
  } finally {
    database.close();
  }
}

function readMigrations(folder: string): readonly Migration[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  if (names.length > maxMigrations)
    throw fail(`${folder} holds more than ${maxMigrations} migrations`);
  return names.toSorted().map((name) => {
    const path = join(folder, name);
    const { size, isFile } = toStatus(path);
    if (!isFile) throw fail(`${name} is no plain file`);
    if (size > maxMigrationBytes)
      throw fail(`${name} has ${size} bytes, ${maxMigrationBytes} are allowed`);
    const text = readFileSync(path, "utf8");
    return { name, text, sha256: createHash("sha256").update(text).digest("hex") };
  });
}

function toStatus(path: string): { readonly size: number; readonly isFile: boolean } {
  const status = lstatSync(path);
  return { size: status.size, isFile: status.isFile() };
}

const flags = fs.O_WRONLY | fs.O_CREAT | fs.O_NOFOLLOW;

/** A link, which the plugin may have made, could lead anywhere: to the state of this program, for one. */
function refuseLinks(file: string): void {
  for (const path of [file, `${file}-journal`, `${file}-wal`, `${file}-shm`]) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isFile() === false)
      throw new Error(`${path} is no plain file`);
  }
}

function open(file: string): DatabaseSync {
  try {
    refuseLinks(file);
    closeSync(openSync(file, flags, 0o600));
    const database = new DatabaseSync(file, {
      timeout: busyTimeoutMs,
      allowExtension: false,
      limits: { attach: 0 },
    });
    database.enableDefensive(true);
    // The plugin may still run and put a link there in the meantime. Where SQLite has arrived it stays.
    if (database.location() === join(realpathSync(dirname(file)), basename(file))) return database;
    database.close();
    throw new Error("it is no plain file");
  } catch (error) {
    throw fail(`${file} cannot be opened: ${toMessage(error)}`);
  }
}

function apply(database: DatabaseSync, migrations: readonly Migration[]): number {
  database.exec(
    `CREATE TABLE IF NOT EXISTS opentalon_migrations
       (name TEXT PRIMARY KEY NOT NULL, sha256 TEXT NOT NULL, applied_at TEXT NOT NULL)`,
  );
  const rows = database.prepare("SELECT name, sha256 FROM opentalon_migrations").all();
  const applied = new Map(rows.map((row) => [String(row["name"]), String(row["sha256"])]));
  for (const { name, sha256 } of migrations) {
    const known = applied.get(name);
    if (known !== undefined && known !== sha256)
      throw fail(
        `${name} has changed since it was applied; put it back as it was, and the change into a new file`,
      );
  }
  const pending = migrations.filter(({ name }) => !applied.has(name));
  const insert = database.prepare(
    "INSERT INTO opentalon_migrations VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ'))",
  );
  for (const migration of pending) {
    database.exec("BEGIN IMMEDIATE");
    try {
      underRestrictions(database, () => database.exec(migration.text));
      insert.run(migration.name, migration.sha256);
      database.exec("COMMIT");
    } catch (error) {
      rollBack(database);
      throw explain(database, migration, error);
    }
  }
  return pending.length;
}

const allowedPragmas: ReadonlySet<string> = new Set([
  "application_id",
  "foreign_key_check",
  "foreign_key_list",
  "index_info",
  "index_list",
  "table_info",
  "table_list",
  "user_version",
]);
const forbidden: ReadonlySet<number> = new Set([
  constants.SQLITE_ATTACH,
  constants.SQLITE_DETACH,
  constants.SQLITE_SAVEPOINT,
  constants.SQLITE_TRANSACTION,
]);

function underRestrictions(database: DatabaseSync, run: () => void): void {
  database.setAuthorizer((action, first) => {
    const isForbidden =
      forbidden.has(action) ||
      (action === constants.SQLITE_PRAGMA && !allowedPragmas.has((first ?? "").toLowerCase()));
    return isForbidden ? constants.SQLITE_DENY : constants.SQLITE_OK;
  });
  try {
    run();
  } finally {
    database.setAuthorizer(null);
  }
}

function rollBack(database: DatabaseSync): void {
  if (database.isTransaction) database.exec("ROLLBACK");
}

/** Goes through the file once more, statement by statement, to say which one it is. */
function explain(database: DatabaseSync, { name, text }: Migration, error: unknown): StoreError {
  const starts = findStatementStarts(text);
  let line = 0;
  database.exec("BEGIN IMMEDIATE");
  try {
    underRestrictions(database, () => {
      for (const [index, start] of starts.entries()) {
        line = text.slice(0, start).split("\n").length;
        database.exec(text.slice(start, starts[index + 1]));
      }
      line = 0;
    });
  } catch {
    // It fails again, and `line` is where.
  } finally {
    rollBack(database);
  }
  const where = line === 0 ? name : `${name}, line ${line}`;
  const problem = toMessage(error);
  const hint = /not authorized/.test(problem)
    ? "; a migration cannot attach files, begin or end transactions, or set pragmas but user_version and application_id"
    : "";
  return fail(`${where}: ${problem}${hint}`);
}

function fail(problem: string): StoreError {
  return new StoreError("STORE_FAILED", problem);
}
