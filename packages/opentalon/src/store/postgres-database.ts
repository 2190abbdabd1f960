import pg from "pg";
import { StoreError } from "../base/errors.ts";
import type { Connection, Database } from "./database.ts";
import { createPrepare, type Statement } from "./statement.ts";
import { isConnectionBroken, toPostgresError } from "./to-postgres-error.ts";

export interface PostgresDatabaseOptions {
  /** `postgres://user:password@host:port/database`; everything the driver understands. */
  readonly dsn: string;
  /** Connections at once, besides the one that holds the lock; 25 when absent or 0. */
  readonly maxOpenConnections?: number | undefined;
  /** Connections kept open when nothing is to do. */
  readonly maxIdleConnections?: number | undefined;
  /** Age at which a connection is replaced; 0 for never. */
  readonly connectionMaxLifetimeMs?: number | undefined;
  /** How long a connection beyond the idle ones is kept. */
  readonly connectionMaxIdleTimeMs?: number | undefined;
}

const defaultOpenConnections = 25;
const connectTimeoutMs = 10_000;
const statementTimeoutMs = 30_000;
const lockTimeoutMs = 10_000;

/** How every connection is opened, the one of the lock too. */
export function toClientConfig(dsn: string): pg.ClientConfig {
  return {
    connectionString: dsn,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    lock_timeout: lockTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    // The server ends a statement first; this one is for a network that swallows the answer.
    query_timeout: statementTimeoutMs + 5_000,
    keepAlive: true,
    types,
  };
}

/**
 * Host, port and database of a connection, without user and password.
 * @throws StoreError when the text is no connection string; the error does not repeat it.
 */
export function toPlace(dsn: string): string {
  try {
    const { host, port, database } = new pg.Client({ connectionString: dsn });
    return `${host}:${port}/${database ?? ""}`;
  } catch {
    const example = "postgres://user:password@host:5432/database";
    throw new StoreError(
      "STORE_UNREACHABLE",
      `the connection of PostgreSQL is not understood; it looks like ${example}`,
    );
  }
}

/** PostgreSQL through a pool. Connections that break are replaced, so a server that restarts only fails what was under way. */
export function createPostgresDatabase(options: PostgresDatabaseOptions): Database {
  const { dsn, maxOpenConnections = 0, maxIdleConnections = 2 } = options;
  const max = maxOpenConnections > 0 ? maxOpenConnections : defaultOpenConnections;
  const { connectionMaxLifetimeMs = 0, connectionMaxIdleTimeMs = 60_000 } = options;
  const place = toPlace(dsn);
  const pool = new pg.Pool({
    ...toClientConfig(dsn),
    application_name: "opentalon",
    max,
    min: Math.min(maxIdleConnections, max),
    idleTimeoutMillis: connectionMaxIdleTimeMs,
    maxLifetimeSeconds: Math.ceil(connectionMaxLifetimeMs / 1_000),
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on("error", () => {});
  const pooled = toConnection(pool);
  const running = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;
  const translated = async <Result>(run: () => Promise<Result>): Promise<Result> => {
    if (closing !== undefined) throw new StoreError("STORE_FAILED", `${place} is closed`);
    const result = run();
    running.add(result);
    try {
      return await result;
    } catch (error) {
      throw toPostgresError(error, place);
    } finally {
      running.delete(result);
    }
  };
  const close = async (): Promise<void> => {
    // The pool would forget who still waits for a connection.
    await Promise.allSettled(running);
    await pool.end();
  };
  return {
    engine: "postgres",
    place,
    prepare: createPrepare("postgres"),
    write: (work) => translated(() => transact(pool, work)),
    change: (statement, parameters) => translated(() => pooled.change(statement, parameters)),
    rows: (statement, parameters) => translated(() => pooled.rows(statement, parameters)),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

async function transact<Result>(
  pool: pg.Pool,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const client = await pool.connect();
  // A connection can break between two statements; the next statement reports it.
  const ignore = (): void => {};
  client.on("error", ignore);
  let broken = false;
  try {
    await client.query("BEGIN");
    const result = await work(toConnection(client));
    await client.query("COMMIT");
    return result;
  } catch (error) {
    broken = isConnectionBroken(error) || !(await rollBack(client));
    throw error;
  } finally {
    client.off("error", ignore);
    client.release(broken);
  }
}

/** Whether the connection can be used again. */
async function rollBack(client: pg.PoolClient): Promise<boolean> {
  try {
    await client.query("ROLLBACK");
    return true;
  } catch {
    return false;
  }
}

function toConnection(client: pg.Pool | pg.PoolClient): Connection {
  const query = async <Parameters>(
    statement: Statement<Parameters, unknown>,
    parameters: Parameters,
  ) => {
    const { sql: text, name } = statement;
    const values = statement.bind(parameters);
    // Named statements are parsed and planned once per connection.
    return client.query(name === "" ? { text, values } : { name, text, values });
  };
  return {
    rows: async (statement, parameters) => (await query(statement, parameters)).rows as never,
    change: async (statement, parameters) => (await query(statement, parameters)).rowCount ?? 0,
  };
}

const bigint = 20;
const numeric = 1_700;

/** Counts, times and sums come as numbers, as they do from SQLite; the driver would give text. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (id: number, format?: "text" | "binary"): unknown => {
    if (id === bigint || id === numeric) return Number;
    return (pg.types.getTypeParser as (id: number, format?: string) => unknown)(id, format);
  },
};
