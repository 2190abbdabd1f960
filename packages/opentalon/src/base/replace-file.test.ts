import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { systemClock } from "./clock.ts";
import { replaceFile } from "./replace-file.ts";

function createFile(text?: string): string {
  const folder = mkdtempSync(join(tmpdir(), "opentalon-replace-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "file");
  if (text !== undefined) writeFileSync(path, text);
  return path;
}

const replace = (path: string, toText: () => string | undefined, mode = 0o600): Promise<void> =>
  replaceFile({ path, mode, clock: systemClock, toText });

it("lets writers come one after another, and loses nothing of any", async () => {
  const path = createFile("");
  const append = (): Promise<void> => replace(path, () => `${readFileSync(path, "utf8")}x`);
  await Promise.all(Array.from({ length: 10 }, append));
  expect(readFileSync(path, "utf8")).toBe("x".repeat(10));
  expect(existsSync(`${path}.new`)).toBe(false);
});

it("leaves the file as it was when there is nothing to write or no text can be made", async () => {
  const path = createFile("old");
  await replace(path, () => undefined);
  const failing = replace(path, () => {
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(existsSync(`${path}.new`)).toBe(false);
});

it("gives the file its mode, and takes over from a writer that has crashed", async () => {
  const path = createFile("old");
  chmodSync(path, 0o600);
  writeFileSync(`${path}.new`, "half");
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(`${path}.new`, longAgo, longAgo);
  await replace(path, () => "new", 0o644);
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(statSync(path).mode & 0o777).toBe(0o644);
});

it("leaves the draft to a writer that took over in the meantime", async () => {
  const path = createFile("old");
  const held = replace(path, () => {
    rmSync(`${path}.new`);
    writeFileSync(`${path}.new`, "half");
    return "mine";
  });
  await expect(held).rejects.toThrow("another process has begun to write it");
  expect(readFileSync(path, "utf8")).toBe("old");
  expect(readFileSync(`${path}.new`, "utf8")).toBe("half");
});

const isRoot = process.geteuid?.() === 0;
it.skipIf(!isRoot)(
  `leaves a file to its owner${isRoot ? "" : ", skipped: only root can give files away"}`,
  async () => {
    const path = createFile("old");
    chownSync(path, 65_534, 65_534);
    await replace(path, () => "new");
    expect(statSync(path)).toMatchObject({ uid: 65_534, gid: 65_534 });
  },
);
