import pg from "pg";
import { createBackoff } from "../base/backoff.ts";
import type { Clock } from "../base/clock.ts";
import { StoreError } from "../base/errors.ts";
import { toClientConfig, toPlace } from "./postgres-database.ts";
import { toPostgresError } from "./to-postgres-error.ts";

/** What happens to the lock after it was taken. */
export type LockEvent =
  /** The connection that held it broke; it is tried again until it is back or taken. */
  | { readonly kind: "lost"; readonly error: StoreError }
  | { readonly kind: "regained" }
  /** Another process has it now. This one writes nothing more and has to end. */
  | { readonly kind: "taken"; readonly error: StoreError };

export interface PostgresLockOptions {
  readonly dsn: string;
  readonly owner: string;
  readonly clock: Clock;
  readonly onChange: (event: LockEvent) => void;
}

export interface PostgresLock {
  /** Why nothing may be written any more, once another process has the lock. */
  readonly takenBy: () => StoreError | undefined;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** First half of the lock's number, the same for every OpenTalon; the second is made from the schema. */
const lockClass = 0x4f54_4c4e;
const pingMs = 5_000;

/**
 * Keeps a database to one process: a lock of the server that lives as long as the connection it was taken on. While the
 * connection is away another process may take over; what this one still writes is fenced by its owner.
 * @throws StoreError STORE_LOCKED, STORE_UNREACHABLE
 */
export async function createPostgresLock(options: PostgresLockOptions): Promise<PostgresLock> {
  const { dsn, owner, clock, onChange } = options;
  const place = toPlace(dsn);
  const stopping = new AbortController();
  let taken: StoreError | undefined;
  let client = await connect(dsn, owner, place);
  let recovery = Promise.resolve();

  const watch = (watched: pg.Client): void => {
    let isLost = false;
    const onLost = (cause: unknown): void => {
      if (isLost || stopping.signal.aborted) return;
      isLost = true;
      cancelPing();
      void watched.end().catch(() => {});
      onChange({ kind: "lost", error: lost(place, cause) });
      recovery = regain();
    };
    const ping = (): void => {
      watched.query("SELECT 1").then(() => {
        if (!isLost && !stopping.signal.aborted) cancelPing = clock.after(pingMs, ping);
      }, onLost);
    };
    let cancelPing = clock.after(pingMs, ping);
    stopping.signal.addEventListener("abort", () => cancelPing(), { once: true });
    watched.on("error", onLost);
    watched.on("end", () => onLost(new Error("the connection ended")));
  };

  const regain = async (): Promise<void> => {
    const backoff = createBackoff({ initialMs: 100, maxMs: 5_000 });
    while (!stopping.signal.aborted) {
      try {
        client = await connect(dsn, owner, place);
        if (stopping.signal.aborted) return;
        watch(client);
        return onChange({ kind: "regained" });
      } catch (error) {
        if (error instanceof StoreError && error.code === "STORE_LOCKED") {
          taken = error;
          return onChange({ kind: "taken", error });
        }
      }
      await clock.sleep(backoff.nextMs(), stopping.signal);
    }
  };

  watch(client);
  return {
    takenBy: () => taken,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await recovery;
      await client.end().catch(() => {});
    },
  };
}

async function connect(dsn: string, owner: string, place: string): Promise<pg.Client> {
  const client = new pg.Client({ ...toClientConfig(dsn), application_name: `opentalon ${owner}` });
  // Until somebody watches it, the failing query reports a broken connection.
  client.on("error", () => {});
  try {
    await client.connect();
    const key = "$1::int, hashtext(current_schema())";
    const { rows } = await client.query<{ ok: boolean }>(
      `SELECT pg_try_advisory_lock(${key}) AS ok`,
      [lockClass],
    );
    if (rows[0]?.ok === true) return client;
    throw new StoreError(
      "STORE_LOCKED",
      `${place} is in use by ${await findHolder(client)}; stop that one, or give this one a database of its own`,
    );
  } catch (error) {
    await client.end().catch(() => {});
    throw toPostgresError(error, place);
  }
}

async function findHolder(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ pid: number; name: string; address: string | null }>(
    `SELECT held.pid, activity.application_name AS name, host(activity.client_addr) AS address
       FROM pg_locks held JOIN pg_stat_activity activity USING (pid)
      WHERE held.locktype = 'advisory' AND held.granted AND held.classid = $1
        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      LIMIT 1`,
    [lockClass],
  );
  const holder = rows[0];
  if (holder === undefined) return "another OpenTalon process";
  const from = holder.address === null ? "" : ` from ${holder.address}`;
  return `another OpenTalon process${from} ("${holder.name}", server process ${holder.pid})`;
}

function lost(place: string, cause: unknown): StoreError {
  return new StoreError(
    "STORE_UNREACHABLE",
    `the connection that keeps ${place} to this process broke`,
    { cause },
  );
}
