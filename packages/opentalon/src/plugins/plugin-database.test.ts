import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createManualClock, systemClock, type Clock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { createFence } from "./fence/create-fence.ts";
import { createOrphanGuard } from "./orphan-guard.ts";
import { preparePluginDatabase } from "./plugin-database.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import { createTemporaryFolders } from "./temporary-folder.ts";
import { toFolderName } from "./folder-name.ts";
import { isRunning } from "./testing/launch-fake.ts";

let root: string;
let databaseFile: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "opentalon-database-"));
  databaseFile = join(root, "data", "plugin_data", "p", "p.db");
});
afterEach(() => rmSync(root, { recursive: true }));

const never = new AbortController().signal;

/** A program that notes what it was asked for and answers with these words. */
function writeProgram(source: string): readonly string[] {
  const path = join(root, "program.mjs");
  writeFileSync(
    path,
    `import { readFileSync, writeFileSync } from "node:fs";
     writeFileSync(${JSON.stringify(join(root, "asked"))},
       JSON.stringify({ pid: process.pid, ...JSON.parse(readFileSync("migration.json")), environment: Object.keys(process.env) }));
     ${source}`,
  );
  return [process.execPath, path];
}
const readAsked = () =>
  JSON.parse(readFileSync(join(root, "asked"), "utf8")) as {
    pid: number;
    file: string;
    folder: string;
    environment: string[];
  };

async function prepare(
  more: Partial<PluginEntry>,
  migrationProgram: readonly string[],
  clock: Clock = systemClock,
  signal = never,
): Promise<PluginEntry> {
  const log = createSilentLog();
  const guard = createOrphanGuard({ log, environment: process.env });
  const folders = createTemporaryFolders(undefined);
  const fence = createFence({ searchPath: process.env["PATH"] ?? "", clock: systemClock, log });
  try {
    return await preparePluginDatabase(
      {
        key: "p",
        command: [join(root, "bin/node"), join(root, "p/main.ts")],
        databaseFile,
        ...more,
      },
      { migrationProgram, folders, guard, fence, clock, log },
      signal,
    );
  } finally {
    await guard[Symbol.asyncDispose]();
  }
}

function addMigrations(folder: string): string {
  const path = join(root, folder, "migrations");
  mkdirSync(path, { recursive: true });
  return path;
}

test("a plugin is told where its database is, in a folder nobody else can enter", async () => {
  const program = writeProgram("");
  const { env } = await prepare({ env: { OTHER: "x" } }, program);
  expect(env).toEqual({ OPENTALON_DATABASE: databaseFile, OTHER: "x" });
  expect(statSync(dirname(databaseFile)).mode & 0o777).toBe(0o700);
  expect(existsSync(join(root, "asked"))).toBe(false);
  const remote: PluginEntry = { key: "p", command: "grpc://127.0.0.1:1", databaseFile };
  expect(await prepare(remote, program)).toEqual(remote);
});

test("a database where older programs kept it is moved, with the log of its changes, and nothing is overwritten", async () => {
  const program = writeProgram("");
  const older = join(root, "data", "plugin_data", "p.db");
  mkdirSync(dirname(older), { recursive: true });
  for (const end of ["", "-wal"]) writeFileSync(older + end, `older${end}`);
  const { dataFolder } = await prepare({}, program);
  expect(dataFolder).toBe(dirname(databaseFile));
  for (const end of ["", "-wal"]) {
    expect(readFileSync(databaseFile + end, "utf8")).toBe(`older${end}`);
    expect(existsSync(older + end)).toBe(false);
  }
  writeFileSync(older, "another");
  await prepare({}, program);
  expect(readFileSync(databaseFile, "utf8")).toBe("older");
});

test("migrations are looked for beside the sources, or beside what is run", async () => {
  const program = writeProgram('console.log(`{"applied":1}`)');
  const beside = addMigrations("p");
  await prepare({}, program);
  expect(readAsked()).toMatchObject({ file: databaseFile, folder: beside });
  expect(readAsked().environment).toEqual(["TMPDIR"]);
  const sources = addMigrations("sources");
  await prepare({ programFolder: join(root, "sources") }, program);
  expect(readAsked().folder).toBe(sources);
});

test.each([
  [
    `console.log(JSON.stringify({ problem: "001.sql, line 3:\\nno" }))`,
    "not migrated: 001.sql, line 3:",
  ],
  ["process.exit(3)", "the migration ended with exit code 3"],
  ["for (;;) console.log('x'.repeat(1e5))", "took longer than 1 min"],
])("a migration that fails keeps the plugin from starting: %s", async (source, words) => {
  addMigrations("p");
  const clock = createManualClock();
  const prepared = prepare({}, writeProgram(source), clock);
  const outcome = prepared.then(
    () => "started",
    (error: unknown) => error,
  );
  await expect.poll(() => existsSync(join(root, "asked")), { timeout: 10_000 }).toBe(true);
  if (source.startsWith("for")) clock.advance(60_000);
  expect(await outcome).toMatchObject({
    reason: "handshake-failed",
    message: expect.stringContaining(words) as string,
  });
  await expect.poll(() => isRunning(readAsked().pid)).toBe(false);
});

test("giving up ends a migration under way", async () => {
  addMigrations("p");
  const caller = new AbortController();
  const prepared = prepare(
    {},
    writeProgram("setInterval(() => {}, 1000)"),
    systemClock,
    caller.signal,
  );
  const outcome = prepared.catch((error: unknown) => error);
  await expect.poll(() => existsSync(join(root, "asked")), { timeout: 10_000 }).toBe(true);
  caller.abort();
  expect(await outcome).toMatchObject({ reason: "unavailable" });
  await expect.poll(() => isRunning(readAsked().pid)).toBe(false);
});

test.each([
  [
    "CREATE TABLE u AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT randomblob(65536) AS v FROM c",
    /limits\.disk_mb|full|I\/O/,
  ],
  [
    "CREATE TABLE u AS WITH RECURSIVE c(x) AS (SELECT randomblob(400000000) UNION ALL SELECT randomblob(400000000) FROM c) SELECT count(DISTINCT x) FROM c",
    /limits\.memory_mb|out of memory/,
  ],
])("a migration takes no more than the plugin may: %s", { timeout: 60_000 }, async (sql, words) => {
  writeFileSync(join(addMigrations("p"), "001.sql"), sql);
  const path = fileURLToPath(new URL("../store/plugin-database-program.ts", import.meta.url));
  const limits = { diskMb: 32, memoryMb: 256 };
  const outcome = prepare({ limits }, [process.execPath, path]);
  await expect(outcome).rejects.toThrow(words);
});

test("the program that comes with the store does what is expected of it", async () => {
  const folder = addMigrations("p");
  writeFileSync(join(folder, "001.sql"), "CREATE TABLE t (v TEXT)");
  const path = fileURLToPath(new URL("../store/plugin-database-program.ts", import.meta.url));
  await prepare({}, [process.execPath, path]);
  expect(existsSync(databaseFile)).toBe(true);
  writeFileSync(
    join(folder, "002.sql"),
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) INSERT INTO t SELECT x FROM c",
  );
  const caller = new AbortController();
  const prepared = prepare({}, [process.execPath, path], systemClock, caller.signal);
  const outcome = prepared.catch((error: unknown) => error);
  await expect.poll(() => existsSync(`${databaseFile}-journal`), { timeout: 10_000 }).toBe(true);
  caller.abort();
  expect(await outcome).toMatchObject({ reason: "unavailable" });
  using database = new DatabaseSync(databaseFile);
  expect(database.prepare("SELECT count(*) AS count FROM t").get()).toEqual({ count: 0 });
  expect(database.prepare("SELECT name FROM opentalon_migrations").all()).toHaveLength(1);
});

test("no key names the file of another, or another folder", () => {
  const keys = [
    "a",
    "A",
    "a.b",
    "../a",
    "a/b",
    "a%2Fb",
    "a\0",
    "",
    "x".repeat(300),
    "é".repeat(300),
  ];
  const names = keys.map(toFolderName);
  expect(new Set(names).size).toBe(keys.length);
  for (const name of names) expect(name).toMatch(/^[^/.\0]{1,200}$/);
});
