import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * Folder of measured data of other people, which is not part of the project: `OPENTALON_BENCH_DATA`, or `shared/bench`
 * beside the checkout. `undefined` where there is none; what needs it is then skipped by name.
 */
export function findMeasuredData(): string | undefined {
  const checkout = join(import.meta.dirname, "..", "..", "..", "..", "..");
  const folder = process.env["OPENTALON_BENCH_DATA"] ?? join(checkout, "..", "shared", "bench");
  return existsSync(folder) ? folder : undefined;
}
