import type { Clock } from "../base/clock.ts";
import { ConfigError } from "../base/errors.ts";
import type { Config } from "../config/load-config.ts";
import type { StateBeside } from "../store/state-beside.ts";

export interface OpenStateBesideOptions {
  readonly config: Config;
  readonly clock: Clock;
}

/**
 * The state the configuration names, for a command that runs beside the program. A driver is loaded only when it is used.
 * @throws StoreError, ConfigError
 */
export async function openStateBeside(options: OpenStateBesideOptions): Promise<StateBeside> {
  const { clock } = options;
  const { db, dataDir } = options.config.state;
  if (db.driver === "sqlite") {
    const { openSqliteBeside } = await import("../store/sqlite-beside.ts");
    return openSqliteBeside({ dataDirectory: dataDir, clock });
  }
  if (db.dsn === undefined) {
    throw new ConfigError(
      "CONFIG_INVALID",
      "state.db.driver is postgres, and state.db.dsn says not which database",
    );
  }
  const { openPostgresBeside } = await import("../store/postgres-beside.ts");
  return openPostgresBeside({ dsn: db.dsn.reveal(), clock });
}
