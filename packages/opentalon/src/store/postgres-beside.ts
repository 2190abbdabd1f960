import type { Clock } from "../base/clock.ts";
import { createPostgresDatabase } from "./postgres-database.ts";
import { createStateBeside, type StateBeside } from "./state-beside.ts";

export interface PostgresBesideOptions {
  /** See `PostgresDatabaseOptions`. */
  readonly dsn: string;
  readonly clock: Clock;
}

/**
 * Opens the state in PostgreSQL without the lock that keeps it to one process.
 * @throws StoreError
 */
export function openPostgresBeside({ dsn, clock }: PostgresBesideOptions): Promise<StateBeside> {
  const database = createPostgresDatabase({ dsn, maxOpenConnections: 1, maxIdleConnections: 0 });
  return createStateBeside({ database, clock });
}
