import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Clock } from "../base/clock.ts";
import { StoreError } from "../base/errors.ts";
import type { Connection, Database } from "./database.ts";
import { createStateBeside, createUnpreparedError, type StateBeside } from "./state-beside.ts";
import { createPrepare } from "./statement.ts";
import { toSqliteError } from "./to-sqlite-error.ts";

export interface SqliteBesideOptions {
  readonly dataDirectory: string;
  readonly clock: Clock;
}

const busyTimeoutMs = 5_000;

/**
 * Opens `<data directory>/state.db` while another process may own it: the write-ahead log lets both read, and a write of
 * one waits for that of the other. Nothing is made that is not there.
 * @throws StoreError
 */
export async function openSqliteBeside(options: SqliteBesideOptions): Promise<StateBeside> {
  const { dataDirectory, clock } = options;
  const file = join(dataDirectory, "state.db");
  try {
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0)
      throw createUnpreparedError(file, 0);
    return await createStateBeside({ database: openDatabase(file), clock });
  } catch (error) {
    throw toSqliteError(error, file);
  }
}

/** One connection that commits each change at once; pragmas that hold for the file belong to the running program. */
function openDatabase(file: string): Database {
  const database = new DatabaseSync(file, {
    timeout: busyTimeoutMs,
    enableForeignKeyConstraints: true,
  });
  let isClosed = false;
  const run = async <Result>(work: () => Result | Promise<Result>): Promise<Result> => {
    if (isClosed) throw new StoreError("STORE_FAILED", `${file} is closed`);
    try {
      return await work();
    } catch (error) {
      throw toSqliteError(error, file);
    }
  };
  const connection: Connection = {
    rows: (statement, parameters) =>
      run(() => database.prepare(statement.sql).all(...statement.bind(parameters)) as never),
    change: (statement, parameters) =>
      run(() => Number(database.prepare(statement.sql).run(...statement.bind(parameters)).changes)),
  };
  return {
    engine: "sqlite",
    place: file,
    prepare: createPrepare("sqlite"),
    write: (work) =>
      run(async () => {
        database.exec("BEGIN IMMEDIATE");
        try {
          const result = await work(connection);
          database.exec("COMMIT");
          return result;
        } catch (error) {
          if (database.isTransaction) database.exec("ROLLBACK");
          throw error;
        }
      }),
    change: connection.change,
    rows: connection.rows,
    [Symbol.asyncDispose]: async () => {
      if (isClosed) return;
      isClosed = true;
      database.close();
    },
  };
}
