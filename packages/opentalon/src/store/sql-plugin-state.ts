import type { Clock } from "../base/clock.ts";
import type { Connection, Database } from "./database.ts";
import type { PluginStateChange, PluginStateOutcome, PluginStateStore } from "./ports.ts";
import { checkText, maxKeyBytes } from "./sql-key-value-store.ts";
import { toStorableKey } from "./storable-text.ts";

export const maxStateValueBytes = 1024 * 1024;

export interface PluginStateOptions {
  readonly database: Database;
  readonly clock: Clock;
}

interface Place {
  readonly plugin: string;
  readonly key: string;
  readonly nowMs: number;
}

/** Undoes a transaction that made a plugin keep too much. */
const tooMuch = new Error("the plugin keeps too much");

/**
 * Plugin and key are two columns of the primary key, so no plugin can spell a key of another. What a plugin keeps is
 * added up after each change in the same transaction, one change of a plugin after another. Replicas do not wait for each
 * other, so each may go over it by one entry.
 */
export function createPluginStateStore({ database, clock }: PluginStateOptions): PluginStateStore {
  const statements = prepareStatements(database);

  const writing = new Map<string, Promise<unknown>>();

  /** Runs `work` after what was begun for the same plugin before. */
  const inTurn = async <Result>(plugin: string, work: () => Promise<Result>): Promise<Result> => {
    const before = writing.get(plugin) ?? Promise.resolve();
    const own = before.then(work, work);
    writing.set(plugin, own);
    try {
      return await own;
    } finally {
      if (writing.get(plugin) === own) writing.delete(plugin);
    }
  };

  const toPlace = (plugin: string, key: string): Place => {
    checkText("key", key, maxKeyBytes);
    return { plugin: toStorableKey(plugin), key, nowMs: clock.now() };
  };

  const find = async (
    connection: Pick<Connection, "rows">,
    place: Place,
  ): Promise<string | undefined> => {
    const [row] = await connection.rows(statements.select, place);
    return row?.value;
  };

  /** Whether it was written: no, when something else was there than was expected. */
  const put = async (
    connection: Connection,
    place: Place,
    { value, endsAtMs, expected }: PluginStateChange,
  ): Promise<boolean> => {
    const bytes = Buffer.byteLength(place.key) + Buffer.byteLength(value);
    const row = { ...place, value, bytes, endsAtMs: endsAtMs ?? null };
    await connection.change(statements.dropEnded, place);
    if (expected === undefined) await connection.change(statements.upsert, row);
    else if (expected === null) return (await connection.change(statements.insert, row)) > 0;
    else return (await connection.change(statements.replace, { ...row, expected })) > 0;
    return true;
  };

  const requireRoom = async (
    connection: Connection,
    { plugin, nowMs }: Place,
    limits: PluginStateChange["limits"],
  ): Promise<void> => {
    const hasRoom = async (): Promise<boolean> => {
      const [sum] = await connection.rows(statements.sum, { plugin });
      return Number(sum?.entries ?? 0) <= limits.entries && Number(sum?.bytes ?? 0) <= limits.bytes;
    };
    if (await hasRoom()) return;
    await connection.change(statements.dropAllEnded, { plugin, nowMs });
    if (!(await hasRoom())) throw tooMuch;
  };

  return {
    get: async (plugin, key) => find(database, toPlace(plugin, key)),
    set: async (plugin, key, change) => {
      const place = toPlace(plugin, key);
      checkText("value", change.value, maxStateValueBytes);
      const write = (): Promise<PluginStateOutcome> =>
        database.write(async (connection) => {
          if (!(await put(connection, place, change)))
            return { kind: "unexpected", value: await find(connection, place) };
          await requireRoom(connection, place, change.limits);
          return { kind: "stored" };
        });
      try {
        return await inTurn(place.plugin, write);
      } catch (error) {
        if (error === tooMuch) return { kind: "full" };
        throw error;
      }
    },
    delete: async (plugin, key) => {
      const place = toPlace(plugin, key);
      return database.write(async (connection) => {
        await connection.change(statements.dropEnded, place);
        return (await connection.change(statements.remove, place)) > 0;
      });
    },
    list: async (plugin, { prefix, after, limit }) => {
      checkText("prefix", prefix, maxKeyBytes);
      const place = toPlace(plugin, after);
      const prefixLength = [...prefix].length;
      const range = { ...place, prefix, prefixLength, limit };
      const rows = await database.rows(statements.listKeys, range);
      return rows.map((row) => row.key);
    },
  };
}

interface Row extends Place {
  readonly value: string;
  readonly bytes: number;
  readonly endsAtMs: number | null;
}

function prepareStatements({ prepare }: Database) {
  return {
    select: prepare((database, is: Place) =>
      database
        .selectFrom("plugin_entries")
        .select("value")
        .where("plugin", "=", is.plugin)
        .where("key", "=", is.key)
        .where((row) => row.or([row("ends_at_ms", "is", null), row("ends_at_ms", ">", is.nowMs)])),
    ),
    sum: prepare((database, is: { plugin: string }) =>
      database
        .selectFrom("plugin_entries")
        .select((row) => [
          row.fn.countAll<number | string>().as("entries"),
          row.fn.sum<number | string>("bytes").as("bytes"),
        ])
        .where("plugin", "=", is.plugin),
    ),
    upsert: prepare((database, row: Row) =>
      database
        .insertInto("plugin_entries")
        .values(toColumns(row))
        .onConflict((conflict) =>
          conflict.columns(["plugin", "key"]).doUpdateSet((earlier) => ({
            bytes: earlier.ref("excluded.bytes"),
            value: earlier.ref("excluded.value"),
            ends_at_ms: earlier.ref("excluded.ends_at_ms"),
            updated_at_ms: earlier.ref("excluded.updated_at_ms"),
          })),
        ),
    ),
    insert: prepare((database, row: Row) =>
      database
        .insertInto("plugin_entries")
        .values(toColumns(row))
        .onConflict((conflict) => conflict.columns(["plugin", "key"]).doNothing()),
    ),
    replace: prepare((database, row: Row & { expected: string }) =>
      database
        .updateTable("plugin_entries")
        .set({
          bytes: row.bytes,
          value: row.value,
          ends_at_ms: row.endsAtMs,
          updated_at_ms: row.nowMs,
        })
        .where("plugin", "=", row.plugin)
        .where("key", "=", row.key)
        .where("value", "=", row.expected),
    ),
    remove: prepare((database, is: Place) =>
      database
        .deleteFrom("plugin_entries")
        .where("plugin", "=", is.plugin)
        .where("key", "=", is.key),
    ),
    dropEnded: prepare((database, is: Place) =>
      database
        .deleteFrom("plugin_entries")
        .where("plugin", "=", is.plugin)
        .where("key", "=", is.key)
        .where("ends_at_ms", "<=", is.nowMs),
    ),
    dropAllEnded: prepare((database, is: Pick<Place, "plugin" | "nowMs">) =>
      database
        .deleteFrom("plugin_entries")
        .where("plugin", "=", is.plugin)
        .where("ends_at_ms", "<=", is.nowMs),
    ),
    listKeys: prepare(
      (database, is: Place & { prefix: string; prefixLength: number; limit: number }) =>
        database
          .selectFrom("plugin_entries")
          .select("key")
          .where("plugin", "=", is.plugin)
          // The first two conditions find the start in the index.
          .where("key", ">", is.key)
          .where("key", ">=", is.prefix)
          .where(
            (row) =>
              row.fn<string>("substr", [row.ref("key"), row.lit(1), row.val(is.prefixLength)]),
            "=",
            is.prefix,
          )
          .where((row) => row.or([row("ends_at_ms", "is", null), row("ends_at_ms", ">", is.nowMs)]))
          .orderBy("key")
          .limit(is.limit),
    ),
  };
}

function toColumns(row: Row) {
  return {
    plugin: row.plugin,
    key: row.key,
    bytes: row.bytes,
    value: row.value,
    ends_at_ms: row.endsAtMs,
    updated_at_ms: row.nowMs,
  };
}
