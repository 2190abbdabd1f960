import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { StoreError } from "../base/errors.ts";
import { toSqliteError } from "./to-sqlite-error.ts";
import { createStore, type StoreOptions } from "./create-store.ts";
import type { Store } from "./ports.ts";
import { checkSqliteFile } from "./check-sqlite-file.ts";
import { createSqliteDatabase } from "./sqlite-database.ts";
import { createSqliteLock } from "./sqlite-lock.ts";

export interface SqliteStoreOptions extends StoreOptions {
  /** Made when missing, readable by its owner only. Belongs to one process at a time. */
  readonly dataDirectory: string;
  /** Bound of the database file; without one the disk is the bound. */
  readonly maxFileBytes?: number | undefined;
  /** Told once when nothing can be written any more; the program has to end. */
  readonly onBroken?: ((error: StoreError) => void) | undefined;
}

/**
 * State in one SQLite file, `<data directory>/state.db`: nothing to install, one process.
 * @throws StoreError STORE_LOCKED, STORE_CORRUPT, STORE_TOO_NEW, STORE_FOREIGN and others; then nothing stays open.
 */
export async function createSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { dataDirectory, maxFileBytes, onBroken, ...shared } = options;
  const file = join(dataDirectory, "state.db");
  await using opened = new AsyncDisposableStack();
  try {
    mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
    opened.use(createSqliteLock(dataDirectory));
    await checkSqliteFile(file);
    const database = opened.use(createSqliteDatabase({ file, maxFileBytes, onBroken }));
    const store = await createStore({ ...shared, database });
    const resources = opened.move();
    return { ...store, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  } catch (error) {
    throw toSqliteError(error, file);
  }
}
