import type { Engine, Prepare, Statement } from "./statement.ts";

/** Runs statements. Row counts and rows are those of the statement alone. */
export interface Connection {
  readonly rows: <Parameters, Row>(
    statement: Statement<Parameters, Row>,
    parameters: Parameters,
  ) => Promise<readonly Row[]>;
  /** @returns how many rows changed. */
  readonly change: <Parameters>(
    statement: Statement<Parameters, unknown>,
    parameters: Parameters,
  ) => Promise<number>;
}

/** One engine, as the stores see it. Everything rejects with `StoreError`, except for what `work` itself throws. */
export interface Database {
  readonly engine: Engine;
  /** How an operator finds it: a file, or host, port and name. Never a password. */
  readonly place: string;
  readonly prepare: Prepare;
  /**
   * One transaction: all of `work` or nothing; resolves after the commit. `work` may await nothing but its connection,
   * because on SQLite the writes of everybody wait for it.
   */
  readonly write: <Result>(work: (connection: Connection) => Promise<Result>) => Promise<Result>;
  /** A transaction of one statement. */
  readonly change: Connection["change"];
  /** Reads what is committed. */
  readonly rows: Connection["rows"];
  /** Finishes writes under way; what comes later rejects. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}
