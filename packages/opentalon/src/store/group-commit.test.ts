import { describe, expect, it } from "vitest";
import { StoreError } from "../base/errors.ts";
import type { Connection } from "./database.ts";
import { createGroupCommit } from "./group-commit.ts";

/** Notes what the engine was told to do; the disk answers as told. */
function groups(flush: () => Promise<void>) {
  const log: string[] = [];
  let isOpen = false;
  const broken: unknown[] = [];
  const commit = createGroupCommit({
    connection: {} as Connection,
    execute: (sql) => {
      log.push(sql);
      if (sql.startsWith("BEGIN")) isOpen = true;
      if (sql === "COMMIT" || sql === "ROLLBACK") isOpen = false;
    },
    makeDurable: async () => {
      log.push("flush");
      await flush();
      log.push("flushed");
    },
    isInTransaction: () => isOpen,
    toError: (error) => new StoreError("STORE_FAILED", String(error)),
    onBroken: (error) => broken.push(error),
  });
  const write = (name: string, fails = false): Promise<string> =>
    commit.write(() => {
      log.push(name);
      return fails ? Promise.reject(new Error(`${name} failed`)) : Promise.resolve(name);
    });
  return { commit, write, log, broken };
}

describe("group commit", () => {
  it("resolves no write before the group is on the disk, and pays for it once", async () => {
    const disk = Promise.withResolvers<void>();
    const { write, log } = groups(() => disk.promise);
    let done = 0;
    const writes = [write("a"), write("b")].map((each) => each.then(() => (done += 1)));
    await expect.poll(() => log.at(-1)).toBe("flush");
    expect(done).toBe(0);
    disk.resolve();
    await Promise.all(writes);
    expect(log.filter((entry) => entry === "flush")).toHaveLength(1);
    expect(log.filter((entry) => entry === "COMMIT")).toHaveLength(1);
  });

  it("gathers the next group while the disk works", async () => {
    const disk = Promise.withResolvers<void>();
    const { write, log } = groups(() => disk.promise);
    const first = write("a");
    await expect.poll(() => log.at(-1)).toBe("flush");
    const second = [write("b"), write("c")];
    disk.resolve();
    await Promise.all([first, ...second]);
    expect(log.filter((entry) => entry.startsWith("BEGIN"))).toHaveLength(2);
  });

  it("keeps what worked when one of a group fails", async () => {
    const { write, log } = groups(() => Promise.resolve());
    const failing = write("bad", true);
    failing.catch(() => undefined);
    expect(await Promise.all([write("a"), write("b")])).toEqual(["a", "b"]);
    await expect(failing).rejects.toThrow("bad failed");
    expect(log).toContain("ROLLBACK TO unit; RELEASE unit");
  });

  it("ends writing for good once a flush failed, and says so once", async () => {
    const { write, broken, log } = groups(() => Promise.reject(new Error("EIO")));
    await expect(write("a")).rejects.toThrow("EIO");
    await expect(write("b")).rejects.toThrow("EIO");
    expect(log).not.toContain("b");
    expect(broken).toHaveLength(1);
  });
});
