/**
 * Migrates one plugin's database, in a process of its own. Reads `migration.json`, `{"file", "folder"}`, where it runs, and
 * writes what came of it as one line of JSON.
 */
import { readFileSync, writeSync } from "node:fs";
import { toMessage } from "../base/errors.ts";
import { migratePluginDatabase, type PluginMigrations } from "./migrate-plugin-database.ts";

let outcome: { readonly applied: number } | { readonly problem: string };
try {
  const migrations = JSON.parse(readFileSync("migration.json", "utf8")) as PluginMigrations;
  outcome = { applied: migratePluginDatabase(migrations) };
} catch (error) {
  outcome = { problem: toMessage(error) };
}
// Standard output, without waiting for anything.
writeSync(1, `${JSON.stringify(outcome)}\n`);
