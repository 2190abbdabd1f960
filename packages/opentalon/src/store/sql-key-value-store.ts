import type { Clock } from "../base/clock.ts";
import { StoreError } from "../base/errors.ts";
import type { Database } from "./database.ts";
import type { KeyValueStore } from "./ports.ts";
import { isStorableText } from "./storable-text.ts";

export const maxKeyBytes = 512;
export const maxValueBytes = 256 * 1024;

export interface KeyValueOptions {
  readonly database: Database;
  readonly clock: Clock;
}

/**
 * Namespace and key are two columns of the primary key, so no namespace can spell a key of another. Texts no engine can
 * hold (U+0000, lone surrogates) are refused, never changed: plugins compare what they stored.
 */
export function createKeyValueStore({ database, clock }: KeyValueOptions): KeyValueStore {
  const { select, upsert, remove, listKeys } = prepareStatements(database);
  return {
    get: async (namespace, key) => {
      checkKey(namespace, key);
      const [row] = await database.rows(select, { namespace, key });
      return row?.value;
    },
    set: async (namespace, key, value) => {
      checkKey(namespace, key);
      checkText("value", value, maxValueBytes);
      await database.change(upsert, { namespace, key, value, nowMs: clock.now() });
    },
    delete: async (namespace, key) => {
      checkKey(namespace, key);
      await database.change(remove, { namespace, key });
    },
    list: async (namespace, prefix, limit) => {
      checkKey(namespace, prefix);
      const prefixLength = [...prefix].length;
      const rows = await database.rows(listKeys, { namespace, prefix, prefixLength, limit });
      return rows.map((row) => row.key);
    },
  };
}

function checkKey(namespace: string, key: string): void {
  checkText("namespace", namespace, maxKeyBytes);
  checkText("key", key, maxKeyBytes);
}

/** @throws StoreError for a text that is too long, or that not both engines can hold. */
export function checkText(name: string, text: string, maxBytes: number): void {
  if (!isStorableText(text)) {
    throw new StoreError(
      "STORE_FAILED",
      `the ${name} holds U+0000 or half a surrogate pair; encode it, for example as base64`,
    );
  }
  const bytes = Buffer.byteLength(text);
  if (bytes <= maxBytes) return;
  throw new StoreError(
    "STORE_FAILED",
    `the ${name} has ${bytes} bytes, ${maxBytes} are allowed; split or shorten it`,
  );
}

function prepareStatements({ prepare }: Database) {
  return {
    select: prepare((database, is: { namespace: string; key: string }) =>
      database
        .selectFrom("plugin_state")
        .select("value")
        .where("namespace", "=", is.namespace)
        .where("key", "=", is.key),
    ),
    upsert: prepare(
      (database, row: { namespace: string; key: string; value: string; nowMs: number }) =>
        database
          .insertInto("plugin_state")
          .values({
            namespace: row.namespace,
            key: row.key,
            value: row.value,
            updated_at_ms: row.nowMs,
          })
          .onConflict((conflict) =>
            conflict.columns(["namespace", "key"]).doUpdateSet((earlier) => ({
              value: earlier.ref("excluded.value"),
              updated_at_ms: earlier.ref("excluded.updated_at_ms"),
            })),
          ),
    ),
    remove: prepare((database, is: { namespace: string; key: string }) =>
      database
        .deleteFrom("plugin_state")
        .where("namespace", "=", is.namespace)
        .where("key", "=", is.key),
    ),
    listKeys: prepare(
      (database, is: { namespace: string; prefix: string; prefixLength: number; limit: number }) =>
        database
          .selectFrom("plugin_state")
          .select("key")
          .where("namespace", "=", is.namespace)
          // The first condition finds the start in the index, the second ends at the last match.
          .where("key", ">=", is.prefix)
          .where(
            (row) =>
              row.fn<string>("substr", [row.ref("key"), row.lit(1), row.val(is.prefixLength)]),
            "=",
            is.prefix,
          )
          .orderBy("key")
          .limit(is.limit),
    ),
  };
}
