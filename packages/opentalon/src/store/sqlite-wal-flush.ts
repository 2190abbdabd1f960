import { open, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/** Brings the write-ahead log to the disk from a thread of the pool, so that the event loop does not wait for it. */
export interface WalFlush {
  /** Everything committed before the call is on the disk when it resolves. */
  readonly flush: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/**
 * What `PRAGMA synchronous = FULL` does after each commit, for a connection that runs with NORMAL: the log's frames carry
 * checksums, so a commit is durable exactly when the log up to it is. The log keeps its file from the first write until
 * the last connection closes; SQLite holds its locks on other files, so that closing this handle drops none of them.
 */
export function createWalFlush(databaseFile: string): WalFlush {
  let handle: FileHandle | undefined;

  const openLog = async (): Promise<FileHandle> => {
    const log = await open(`${databaseFile}-wal`, "r+");
    // The name of a new file is durable only with its directory.
    await using directory = await open(dirname(databaseFile), "r");
    await directory.sync();
    return log;
  };

  return {
    flush: async () => {
      handle ??= await openLog();
      await handle.datasync();
    },
    [Symbol.asyncDispose]: async () => {
      await handle?.close();
      handle = undefined;
    },
  };
}
