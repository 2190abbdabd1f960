import type { Clock } from "../base/clock.ts";
import { StoreError } from "../base/errors.ts";
import { createIdentifier } from "../base/identifier.ts";
import type { Database } from "./database.ts";
import { checkSchema } from "./migrate.ts";
import { migrations } from "./migrations.ts";
import type { KeyValueStore, Outbox, RoutingStore } from "./ports.ts";
import { createSortableId } from "./sortable-id.ts";
import { createKeyValueStore } from "./sql-key-value-store.ts";
import { createOutbox } from "./sql-outbox.ts";
import { createRoutingStore } from "./sql-routing-store.ts";

/** The state of a program that may be running meanwhile: without its lock, and only what commands beside it need. */
export interface StateBeside extends AsyncDisposable {
  /** How an operator finds it: a file, or host, port and name. */
  readonly place: string;
  readonly routing: RoutingStore;
  readonly keyValue: KeyValueStore;
  readonly outbox: Outbox;
}

export interface StateBesideOptions {
  /** Released with the state, and when opening fails. */
  readonly database: Database;
  readonly clock: Clock;
}

/**
 * Opens state whose schema is the one this program writes; changes nothing in it, so a schema that is older stays so.
 * @throws StoreError STORE_FAILED, STORE_TOO_NEW or STORE_FOREIGN.
 */
export async function createStateBeside(options: StateBesideOptions): Promise<StateBeside> {
  const { database, clock } = options;
  await using opened = new AsyncDisposableStack();
  opened.use(database);
  const version = await checkSchema(database);
  const newest = migrations.at(-1)?.version ?? 0;
  if (version < newest) throw createUnpreparedError(database.place, version);
  const routing = createRoutingStore({ database, clock, createId: createSortableId({ clock }) });
  const resources = opened.move();
  return {
    place: database.place,
    routing,
    keyValue: createKeyValueStore({ database, clock }),
    outbox: createOutbox({ database, clock, owner: createIdentifier() }),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** What there is holds nothing yet that this command could read. */
export function createUnpreparedError(place: string, version: number): StoreError {
  const what =
    version === 0
      ? `there is no state of OpenTalon yet at ${place}`
      : `${place} was last used by an older OpenTalon`;
  return new StoreError(
    "STORE_FAILED",
    `${what}: start OpenTalon once with this configuration, then run this command again`,
  );
}
