import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../base/errors.ts";
import { toSqliteError } from "./to-sqlite-error.ts";

const busy = 5;

/**
 * Keeps a data directory to one process. The lock belongs to the operating system and ends with the process, however it
 * ends, so nothing stale is ever left; the file with the process id only helps to find the holder.
 * @throws StoreError STORE_LOCKED
 */
export function createSqliteLock(dataDirectory: string): Disposable {
  const file = join(dataDirectory, "state.lock");
  const pidFile = join(dataDirectory, "state.pid");
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== busy) throw toSqliteError(error, file);
    const pid = readPid(pidFile);
    const holder =
      pid === undefined ? "another OpenTalon process" : `another OpenTalon process (pid ${pid})`;
    throw new StoreError(
      "STORE_LOCKED",
      `${dataDirectory} is in use by ${holder}; stop that process, or give this one a data directory of its own`,
    );
  }
  writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 });
  return {
    [Symbol.dispose]: () => {
      rmSync(pidFile, { force: true });
      lock.close();
    },
  };
}

function readPid(pidFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, "utf8"), 10);
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
