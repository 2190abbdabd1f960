/** `make chaos`: kills the core 20 times per engine while messages keep coming, and prints the ledger. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startPostgres } from "../../packages/opentalon/src/store/testing/embedded-postgres.ts";
import { createRandom } from "../../e2e/support/random.ts";
import { printTable } from "../support/print-table.ts";
import { isClean, runChaos, type Ledger } from "../../e2e/support/chaos/run-chaos.ts";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    conversations: { type: "string", default: "8" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    engine: { type: "string", multiple: true, default: ["sqlite", "postgres"] },
  },
});

const common = {
  kills: Number(values.kills),
  conversations: Number(values.conversations),
  random: createRandom(Number(values.seed)),
  onProgress: (line: string) => void process.stderr.write(`${line}\n`),
};

const folder = mkdtempSync(join(tmpdir(), "opentalon-chaos-"));
const ledgers: Ledger[] = [];
try {
  if (values.engine.includes("sqlite")) {
    const place = mkdtempSync(join(folder, "sqlite-"));
    ledgers.push(await runChaos({ ...common, engine: "sqlite", folder: place }));
  }
  if (values.engine.includes("postgres")) {
    const postgres = await startPostgres();
    try {
      const place = mkdtempSync(join(folder, "postgres-"));
      const dsn = await postgres.createDatabase();
      ledgers.push(await runChaos({ ...common, engine: "postgres", dsn, folder: place }));
    } finally {
      await postgres.stop();
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

printTable(
  [
    "engine",
    "kills",
    "in",
    "answered",
    "failed",
    "unknown",
    "lost",
    "doubled",
    "out of order",
    "tool runs",
    "repeated",
  ],
  ledgers.map((ledger) => Object.values(ledger).map(String)),
);
process.stdout.write(`seed ${values.seed}\n`);
process.exitCode = ledgers.every(isClean) ? 0 : 1;
