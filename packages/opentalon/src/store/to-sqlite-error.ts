import { join, dirname } from "node:path";
import { StoreError, toMessage } from "../base/errors.ts";

/** Primary result codes of SQLite that an operator has to act upon. */
const resultCodes = {
  busy: 5,
  readOnly: 8,
  ioError: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notADatabase: 26,
} as const;

const fileSystemCode = /^E[A-Z]+$/;

/** What the driver or the file system threw, as an error that says what to do; everything else comes back as it is. */
export function toSqliteError(error: unknown, file: string): unknown {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  if (code === "ENOSPC") return diskFull(error, file);
  if (typeof code === "string" && fileSystemCode.test(code)) {
    return failed(error, file, "check the folder and its permissions");
  }
  if (code !== "ERR_SQLITE_ERROR" || typeof errcode !== "number") return error;
  switch (errcode & 0xff) {
    case resultCodes.corrupt:
    case resultCodes.notADatabase:
      return createCorruptError(file, toMessage(error), error);
    case resultCodes.full:
      return diskFull(error, file);
    case resultCodes.busy:
      return new StoreError("STORE_FAILED", `${file} is locked by another program; close it`, {
        cause: error,
      });
    case resultCodes.readOnly:
    case resultCodes.cannotOpen:
    case resultCodes.ioError:
      return failed(error, file, "check the disk, the permissions of the file and of its folder");
    default:
      return failed(error, file, "the log has the cause");
  }
}

export function createCorruptError(file: string, problem: string, cause?: unknown): StoreError {
  const aside = join(dirname(file), "damaged-state");
  const files = [file, `${file}-wal`, `${file}-shm`].map(quote).join(" ");
  return new StoreError(
    "STORE_CORRUPT",
    `${file} is damaged or no SQLite database (${problem}). Stop OpenTalon, then either restore a backup of the file, ` +
      `or start without the old state after moving it aside:\n` +
      `  mkdir -p ${quote(aside)} && for f in ${files}; do [ ! -e "$f" ] || mv -i "$f" ${quote(aside)}; done`,
    { cause },
  );
}

function diskFull(cause: unknown, file: string): StoreError {
  const advice = "nothing of this was stored; free some space and it goes on by itself";
  return new StoreError("STORE_FULL", `there is no space left for ${file}; ${advice}`, { cause });
}

function failed(cause: unknown, file: string, advice: string): StoreError {
  return new StoreError("STORE_FAILED", `${file}: ${toMessage(cause)}; ${advice}`, { cause });
}

function quote(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
