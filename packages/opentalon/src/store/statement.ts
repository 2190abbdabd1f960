import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { Schema } from "./schema.ts";

export type Engine = "sqlite" | "postgres";

/** What both engines take as a value. */
export type BindValue = string | number | bigint | null | Uint8Array;

/** A query compiled once; every run only binds values. */
export interface Statement<Parameters, Row> {
  readonly sql: string;
  /** Unique among the statements of one compiler. */
  readonly name: string;
  /**
   * Values in the order of the placeholders.
   * @throws TypeError on a missing value or one of another type: the SQLite driver would read NULL or shift the others.
   */
  readonly bind: (parameters: Parameters) => BindValue[];
  /** Never set: carries the type of a row. */
  readonly row?: Row;
}

/**
 * Compiles `build` for one engine. `parameters` holds a placeholder under every name; annotate it with the type of the
 * values a run gives: `prepare((database, is: { id: string }) => database.selectFrom("inbox").where("id", "=", is.id))`.
 */
export type Prepare = <Parameters extends object, Row>(
  build: (
    database: Kysely<Schema>,
    parameters: Parameters,
  ) => { readonly compile: () => CompiledQuery<Row> },
) => Statement<Parameters, Row>;

interface Placeholder {
  readonly placeholder: string;
}

/** The query builder costs about 10 µs a query, more than SQLite needs to run it: so each is compiled at start only. */
export function createPrepare(engine: Engine): Prepare {
  const database = createQueryBuilder(engine);
  let count = 0;
  return (build) => {
    const placeholders = new Proxy({} as Parameters<typeof build>[1], {
      get: (_target, placeholder) => ({ placeholder }),
    });
    const { sql, parameters } = build(database, placeholders).compile();
    count += 1;
    return { sql, name: `opentalon_${count}`, bind: createBind(sql, parameters) };
  };
}

/** SQL text as a statement without parameters. */
export function toStatement<Row = unknown>(sql: string): Statement<object, Row> {
  return { sql, name: "", bind: () => [] };
}

function createBind(sql: string, parameters: readonly unknown[]): (values: object) => BindValue[] {
  return (values) =>
    parameters.map((parameter) => {
      if (!isPlaceholder(parameter)) return toBindValue(parameter, "a constant", sql);
      const value = (values as Record<string, unknown>)[parameter.placeholder];
      return toBindValue(value, parameter.placeholder, sql);
    });
}

function isPlaceholder(value: unknown): value is Placeholder {
  return typeof value === "object" && value !== null && "placeholder" in value;
}

function toBindValue(value: unknown, name: string, sql: string): BindValue {
  if (typeof value === "string" || typeof value === "bigint" || value === null) return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (value instanceof Uint8Array) return value;
  const found = typeof value === "number" ? String(value) : typeof value;
  throw new TypeError(
    `${name} must be text, a finite number, bytes or null, not ${found}, in: ${sql}`,
  );
}

function createQueryBuilder(engine: Engine): Kysely<Schema> {
  const createDriver = (): DummyDriver => new DummyDriver();
  if (engine === "sqlite") {
    return new Kysely({
      dialect: {
        createAdapter: () => new SqliteAdapter(),
        createQueryCompiler: () => new SqliteQueryCompiler(),
        createIntrospector: (database) => new SqliteIntrospector(database),
        createDriver,
      },
    });
  }
  return new Kysely({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createIntrospector: (database) => new PostgresIntrospector(database),
      createDriver,
    },
  });
}
