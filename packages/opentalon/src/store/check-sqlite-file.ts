import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { checkSchema } from "./migrate.ts";

/**
 * Makes sure that an existing file is ours to work on before anything in it is changed, its journal mode included.
 * @throws StoreError STORE_TOO_NEW or STORE_FOREIGN, or what the driver throws.
 */
export async function checkSqliteFile(file: string): Promise<void> {
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  using database = new DatabaseSync(file);
  await checkSchema({
    engine: "sqlite",
    place: file,
    rows: async (statement, parameters) =>
      database.prepare(statement.sql).all(...statement.bind(parameters)) as never,
  });
}
