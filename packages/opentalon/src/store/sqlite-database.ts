import { closeSync, openSync, statSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { StoreError } from "../base/errors.ts";
import type { Connection, Database } from "./database.ts";
import { createGroupCommit } from "./group-commit.ts";
import { createWalFlush } from "./sqlite-wal-flush.ts";
import { createPrepare } from "./statement.ts";
import { createCorruptError, toSqliteError } from "./to-sqlite-error.ts";

export interface SqliteDatabaseOptions {
  readonly file: string;
  /** Bound of the file; without one the disk is the bound. */
  readonly maxFileBytes?: number | undefined;
  /** Told once when nothing can be written any more: a flush failed, and nobody knows what is on the disk. */
  readonly onBroken?: ((error: StoreError) => void) | undefined;
}

/** Up to this size the file is checked at start; a greater one would delay it for seconds. */
const checkedBytes = 64 * 1024 * 1024;
/** 16 MB at the usual page size: rare enough to merge many changes of one page, short enough not to be noticed. */
const checkpointPages = 4_000;
const maxWalBytes = 64 * 1024 * 1024;
const maxCachedStatements = 200;
const busyTimeoutMs = 5_000;

/**
 * SQLite: one connection that writes, one that reads. The writer commits what one tick of the event loop brings
 * together, so the cost of making it durable is shared; the reader sees only what is committed.
 * @throws StoreError STORE_CORRUPT and others.
 */
export function createSqliteDatabase(options: SqliteDatabaseOptions): Database {
  const { file, maxFileBytes, onBroken = () => {} } = options;
  // Created here and not by SQLite, so that nobody else can read what people write; its side files take over the mode.
  closeSync(openSync(file, "a", 0o600));
  const writer = open(file, false);
  try {
    prepareWriter(writer, file, maxFileBytes);
    const reader = open(file, true);
    return assemble(file, writer, reader, onBroken);
  } catch (error) {
    writer.close();
    throw toSqliteError(error, file);
  }
}

function assemble(
  file: string,
  writer: DatabaseSync,
  reader: DatabaseSync,
  onBroken: (error: StoreError) => void,
): Database {
  const writing = toConnection(writer);
  const reading = toConnection(reader);
  const flush = createWalFlush(file);
  const groups = createGroupCommit({
    connection: writing,
    execute: (sql) => writer.exec(sql),
    makeDurable: flush.flush,
    isInTransaction: () => writer.isTransaction,
    toError: (error) => toSqliteError(error, file),
    onBroken: (error) => onBroken(error as StoreError),
  });
  let isClosed = false;
  return {
    engine: "sqlite",
    place: file,
    prepare: createPrepare("sqlite"),
    write: groups.write,
    change: (statement, parameters) =>
      groups.write((connection) => connection.change(statement, parameters)),
    rows: async (statement, parameters) => {
      if (isClosed) throw new StoreError("STORE_FAILED", `${file} is closed`);
      try {
        return await reading.rows(statement, parameters);
      } catch (error) {
        throw toSqliteError(error, file);
      }
    },
    [Symbol.asyncDispose]: async () => {
      if (isClosed) return;
      isClosed = true;
      await groups[Symbol.asyncDispose]();
      await flush[Symbol.asyncDispose]();
      reader.close();
      writer.close();
    },
  };
}

function open(file: string, readOnly: boolean): DatabaseSync {
  try {
    return new DatabaseSync(file, {
      readOnly,
      timeout: busyTimeoutMs,
      enableForeignKeyConstraints: true,
    });
  } catch (error) {
    throw toSqliteError(error, file);
  }
}

function prepareWriter(writer: DatabaseSync, file: string, maxFileBytes: number | undefined): void {
  // NORMAL leaves the flush after a commit to us (`sqlite-wal-flush.ts`); it keeps those that protect a checkpoint.
  writer.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = FAST",
  );
  settleLog(writer);
  // Savepoints keep copies of the pages they change; in memory that costs half of what it does in a file.
  writer.exec("PRAGMA temp_store = MEMORY");
  writer.exec(
    `PRAGMA wal_autocheckpoint = ${checkpointPages}; PRAGMA journal_size_limit = ${maxWalBytes}`,
  );
  if (maxFileBytes !== undefined) {
    const { page_size: pageBytes } = writer.prepare("PRAGMA page_size").get() as {
      page_size: number;
    };
    writer.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxFileBytes / pageBytes))}`);
  }
  if (statSync(file).size > checkedBytes) return;
  const { quick_check: verdict } = writer.prepare("PRAGMA quick_check(1)").get() as {
    quick_check: string;
  };
  if (verdict !== "ok") throw createCorruptError(file, verdict);
}

/**
 * Brings what an earlier process left in the log into the file itself. The log may have been written and never reached the
 * disk: after a failed flush the system shows it all the same, and what is built on it would go with it.
 */
function settleLog(writer: DatabaseSync): void {
  try {
    // Whoever reads the file right now keeps the log from being emptied; the start does not wait for that.
    writer.exec("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)");
  } catch {
    // A full disk, for one: the log still holds everything, and later checkpoints try again.
  } finally {
    writer.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
  }
}

/** Statements are few and fixed; the bound of the cache holds should that ever change. */
function toConnection(database: DatabaseSync): Connection {
  const cache = new Map<string, StatementSync>();
  const find = (sql: string): StatementSync => {
    const known = cache.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    if (cache.size >= maxCachedStatements) cache.clear();
    cache.set(sql, statement);
    return statement;
  };
  return {
    rows: async (statement, parameters) =>
      find(statement.sql).all(...statement.bind(parameters)) as never,
    change: async (statement, parameters) =>
      Number(find(statement.sql).run(...statement.bind(parameters)).changes),
  };
}
