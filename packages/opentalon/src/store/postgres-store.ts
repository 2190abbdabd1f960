import { createIdentifier } from "../base/identifier.ts";
import { createStore, type StoreOptions } from "./create-store.ts";
import type { Database } from "./database.ts";
import type { Store } from "./ports.ts";
import { createPostgresDatabase, type PostgresDatabaseOptions } from "./postgres-database.ts";
import { createPostgresLock, type LockEvent, type PostgresLock } from "./postgres-lock.ts";

export interface PostgresStoreOptions extends StoreOptions, PostgresDatabaseOptions {
  /** Told when the database may no longer be this process's alone; after `taken` the program has to end. */
  readonly onLockChange?: ((event: LockEvent) => void) | undefined;
}

/**
 * State in a database of PostgreSQL, in the default schema of the connection; one process for now.
 * @throws StoreError STORE_LOCKED, STORE_UNREACHABLE, STORE_TOO_NEW, STORE_FOREIGN and others; then nothing stays open.
 */
export async function createPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { owner = createIdentifier(), onLockChange = () => {}, ...shared } = options;
  await using opened = new AsyncDisposableStack();
  const { dsn, clock } = options;
  const lock = opened.use(await createPostgresLock({ dsn, clock, owner, onChange: onLockChange }));
  const database = opened.use(createPostgresDatabase(options));
  const store = await createStore({ ...shared, owner, database: refuseWhenTaken(database, lock) });
  const resources = opened.move();
  return { ...store, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

function refuseWhenTaken(database: Database, lock: PostgresLock): Database {
  const check = (): void => {
    const error = lock.takenBy();
    if (error !== undefined) throw error;
  };
  return {
    ...database,
    write: async (work) => (check(), database.write(work)),
    change: async (statement, parameters) => (check(), database.change(statement, parameters)),
  };
}
