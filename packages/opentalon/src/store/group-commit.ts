import { StoreError } from "../base/errors.ts";
import type { Connection } from "./database.ts";

/** Commits units of work together; each is still all or nothing. */
export interface GroupCommit {
  /** Resolves after the commit with what `work` returned; rejects with what it threw, or with why nothing was kept. */
  readonly write: <Result>(work: (connection: Connection) => Promise<Result>) => Promise<Result>;
  /** Finishes what was handed in; later units are refused. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export interface GroupCommitOptions {
  readonly connection: Connection;
  readonly execute: (sql: string) => void;
  /** Brings what was committed to the disk, without blocking the thread. A rejection ends all writing. */
  readonly makeDurable: () => Promise<void>;
  /** SQLite ends a transaction by itself on some failures, a full disk for one. */
  readonly isInTransaction: () => boolean;
  readonly toError: (error: unknown) => unknown;
  /** Told once when writing has ended for good; the program should end, too. */
  readonly onBroken: (error: unknown) => void;
}

interface Unit {
  readonly work: (connection: Connection) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Bounds how long one group keeps the thread. */
const maxUnits = 256;

/**
 * Writes of one tick become one transaction, each inside a savepoint, so one that fails takes no other with it. Making a
 * commit durable costs a hundred times what a row costs: under load it is paid once per group, and while the disk works
 * the thread goes on and the next group gathers.
 */
export function createGroupCommit(options: GroupCommitOptions): GroupCommit {
  const { connection, execute, makeDurable, isInTransaction, toError, onBroken } = options;
  /** Why nothing can be written any more: after a failed flush nobody knows what is on the disk. */
  let broken: unknown;
  let queue: Unit[] = [];
  let isScheduled = false;
  let isClosed = false;
  let onIdle: (() => void) | undefined;

  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    // Not a microtask: what other sockets bring in this tick shall join the group.
    setImmediate(() => void flush());
  };

  const flush = async (): Promise<void> => {
    const group = queue.slice(0, maxUnits);
    queue = queue.slice(maxUnits);
    await commit(group);
    isScheduled = false;
    if (queue.length > 0) schedule();
    else onIdle?.();
  };

  const commit = async (group: readonly Unit[]): Promise<void> => {
    const finished: { unit: Unit; value: unknown }[] = [];
    if (broken !== undefined) {
      for (const unit of group) unit.reject(broken);
      return;
    }
    const hasSavepoints = group.length > 1;
    try {
      execute("BEGIN IMMEDIATE");
      for (const [index, unit] of group.entries()) {
        const outcome = await run(unit, hasSavepoints);
        if (outcome.kind === "done") finished.push({ unit, value: outcome.value });
        else if (!isInTransaction()) {
          // The engine has undone the whole group: what had run is lost and says so, what had not runs in the next one.
          queue = [...group.slice(index + 1), ...queue];
          for (const lost of finished) lost.unit.reject(outcome.error);
          return;
        }
      }
      if (isInTransaction()) execute("COMMIT");
    } catch (error) {
      rollBack();
      // Those that failed by themselves have their answer already; rejecting them again does nothing.
      for (const unit of group) unit.reject(toError(error));
      return;
    }
    if (finished.length === 0) return;
    try {
      await makeDurable();
      for (const { unit, value } of finished) unit.resolve(value);
    } catch (error) {
      broken = toError(error);
      for (const { unit } of finished) unit.reject(broken);
      onBroken(broken);
    }
  };

  const run = async (unit: Unit, hasSavepoint: boolean): Promise<UnitOutcome> => {
    if (hasSavepoint) execute("SAVEPOINT unit");
    try {
      const value = await unit.work(connection);
      if (hasSavepoint) execute("RELEASE unit");
      return { kind: "done", value };
    } catch (thrown) {
      const error = toError(thrown);
      unit.reject(error);
      if (!hasSavepoint) rollBack();
      else if (isInTransaction()) execute("ROLLBACK TO unit; RELEASE unit");
      return { kind: "failed", error };
    }
  };

  const rollBack = (): void => {
    if (!isInTransaction()) return;
    try {
      execute("ROLLBACK");
    } catch {
      // The reason for rolling back is what gets reported; a transaction that stays open fails the next BEGIN aloud.
    }
  };

  return {
    write: (work) =>
      new Promise<never>((resolve, reject) => {
        if (isClosed) return reject(new StoreError("STORE_FAILED", "the state database is closed"));
        queue.push({ work, resolve: resolve as (value: unknown) => void, reject });
        schedule();
      }),
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      if (isScheduled) await new Promise<void>((resolve) => (onIdle = resolve));
    },
  };
}

type UnitOutcome =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: unknown };
