import type { Clock } from "../base/clock.ts";
import { ConfigError, type StoreError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Config } from "../config/load-config.ts";
import { defaultStoreLimits, type Store } from "../store/ports.ts";

export interface OpenStoreOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** Nothing can be written any more: the disk failed, or another process has taken the state over. */
  readonly onLost: (error: StoreError) => void;
}

/** The store the configuration asks for. A driver is loaded only when it is used. */
export async function openStore({
  config: { state },
  clock,
  log,
  onLost,
}: OpenStoreOptions): Promise<Store> {
  const shared = { clock, limits: defaultStoreLimits };
  if (state.db.driver === "sqlite") {
    const { createSqliteStore } = await import("../store/sqlite-store.ts");
    return createSqliteStore({ ...shared, dataDirectory: state.dataDir, onBroken: onLost });
  }
  const { createPostgresStore } = await import("../store/postgres-store.ts");
  const { dsn, maxOpenConns, maxIdleConns, connMaxLifetimeMs, connMaxIdleTimeMs } = state.db;
  if (dsn === undefined) {
    throw new ConfigError(
      "CONFIG_INVALID",
      "state.db.driver is postgres, and state.db.dsn says not which database",
    );
  }
  return createPostgresStore({
    ...shared,
    dsn: dsn.reveal(),
    maxOpenConnections: maxOpenConns,
    maxIdleConnections: maxIdleConns,
    connectionMaxLifetimeMs: connMaxLifetimeMs,
    connectionMaxIdleTimeMs: connMaxIdleTimeMs,
    onLockChange: (event) => {
      if (event.kind === "regained")
        return log.info("the lock on the state database is held again");
      log.error({ err: event.error }, "the lock on the state database was lost");
      if (event.kind === "taken") onLost(event.error);
    },
  });
}
