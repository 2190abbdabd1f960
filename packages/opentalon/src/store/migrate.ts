import { StoreError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import type { Connection, Database } from "./database.ts";
import { type Migration, migrations as ownMigrations } from "./migrations.ts";
import { type Engine, toStatement } from "./statement.ts";

/** The last schema of the Go program; its tables and ours agree from there on. */
const adoptableVersion = 15;

export interface MigrateOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly migrations?: readonly Migration[];
}

/**
 * Brings the schema to the newest version, each step in one transaction with the note that it was done.
 * @throws StoreError STORE_TOO_NEW or STORE_FOREIGN; then nothing was changed.
 */
export async function migrate({
  database,
  clock,
  migrations = ownMigrations,
}: MigrateOptions): Promise<void> {
  const current = await checkSchema(database, migrations);
  for (const { version, statements } of migrations) {
    if (version <= current) continue;
    await database.write(async (connection) => {
      if (version === 1) await connection.change(toStatement(versionTable), {});
      for (const sql of statements(database.engine)) await connection.change(toStatement(sql), {});
      const at = new Date(clock.now()).toISOString();
      const note = `INSERT INTO opentalon_schema (version, applied_at) VALUES (${version}, '${at}')`;
      await connection.change(toStatement(note), {});
    });
  }
}

/** What there is to know before anything is changed. */
export type Schemed = Pick<Database, "engine" | "place" | "rows">;

/**
 * Makes sure that the database is one this program may work on; changes nothing.
 * @returns its schema version, 0 for an empty database or one of the Go program that can be adopted.
 * @throws StoreError STORE_TOO_NEW or STORE_FOREIGN.
 */
export async function checkSchema(
  database: Schemed,
  migrations: readonly Migration[] = ownMigrations,
): Promise<number> {
  const newest = migrations.at(-1)?.version ?? 0;
  const current = await readVersion(database);
  if (current <= newest) return current;
  throw new StoreError(
    "STORE_TOO_NEW",
    `${database.place} has schema version ${current}, but this OpenTalon knows versions up to ${newest}; ` +
      "install the version of OpenTalon that wrote it, or a newer one",
  );
}

const versionTable = `CREATE TABLE IF NOT EXISTS opentalon_schema (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)`;

async function readVersion(database: Schemed): Promise<number> {
  if (await hasTable(database, "opentalon_schema")) {
    return readNumber(database, "SELECT MAX(version) AS version FROM opentalon_schema");
  }
  if (!(await hasTable(database, "schema_version"))) {
    await refuseStranger(database);
    return 0;
  }
  const foreign = await readNumber(database, "SELECT * FROM schema_version");
  if (foreign === adoptableVersion) return 0;
  const advice =
    foreign < adoptableVersion
      ? `start the newest Go release of OpenTalon on it once, so that it reaches version ${adoptableVersion}`
      : "no release of OpenTalon that this one knows has written it";
  throw new StoreError(
    "STORE_FOREIGN",
    `${database.place} was written by the Go program of OpenTalon and has its schema version ${foreign}; only version ` +
      `${adoptableVersion} can be adopted: ${advice}, or configure another place for the state`,
  );
}

/** Tables that would clash with ours; a file is nobody's but ours, while a PostgreSQL schema may be shared. */
const strangerQueries: Readonly<Record<Engine, string>> = {
  sqlite: `SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' LIMIT 1`,
  postgres: `SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema() AND tablename IN
    ('sessions', 'messages', 'profile_usage', 'inbox', 'turn_journal', 'outbox', 'plugin_state', 'plugin_entries', 'routing_history',
    'routing_state', 'budget_accounts', 'budget_calls') LIMIT 1`,
};

async function refuseStranger({ engine, place, rows }: Schemed): Promise<void> {
  const [table] = await rows(toStatement<{ name: string }>(strangerQueries[engine]), {});
  if (table === undefined) return;
  throw new StoreError(
    "STORE_FOREIGN",
    `${place} belongs to another program (it has a table "${table.name}"); nothing was changed in it: ` +
      "configure another place for the state",
  );
}

/** The greatest number in the answer; column and table belong to another program, so neither is taken for granted. */
async function readNumber(connection: Pick<Connection, "rows">, sql: string): Promise<number> {
  const rows = await connection.rows(toStatement<Record<string, unknown>>(sql), {});
  const numbers = rows.map((row) => Number(row["version"] ?? Object.values(row)[0] ?? 0));
  return numbers.reduce((most, value) => Math.max(most, Number.isFinite(value) ? value : 0), 0);
}

const tableQueries: Readonly<Record<Engine, (table: string) => string>> = {
  sqlite: (table) => `SELECT name FROM sqlite_schema WHERE type = 'table' AND name = '${table}'`,
  postgres: (table) =>
    `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename = '${table}'`,
};

async function hasTable(database: Schemed, table: string): Promise<boolean> {
  const rows = await database.rows(toStatement(tableQueries[database.engine](table)), {});
  return rows.length > 0;
}
