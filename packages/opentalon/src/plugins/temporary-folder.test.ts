import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { createTemporaryFolders } from "./temporary-folder.ts";

test("a folder is private, short enough for sockets, and removed with what is in it", async () => {
  const folder = await createTemporaryFolders(undefined).create();
  expect(statSync(folder.path).mode & 0o777).toBe(0o700);
  expect(folder.path.length).toBeLessThan(60);
  mkdirSync(join(folder.path, "deep"));
  writeFileSync(join(folder.path, "deep/file"), "x");
  await folder.remove();
  expect(existsSync(folder.path)).toBe(false);
});

test("what a killed process left behind is removed at the next start, and nothing else", async () => {
  const stateDirectory = mkdtempSync(join(tmpdir(), "opentalon-test-"));
  const left = await createTemporaryFolders(stateDirectory).create();
  const foreign = mkdtempSync(join(dirname(left.path), "ot-"));
  const notes = join(stateDirectory, "plugin-folders");
  writeFileSync(join(notes, "..%2Fetc"), "");
  writeFileSync(join(notes, "ot-not-one-of-ours"), "");
  await createTemporaryFolders(stateDirectory).removeLeftOvers();
  expect(existsSync(left.path)).toBe(false);
  expect(existsSync(foreign)).toBe(true);
  expect(readdirSync(notes)).toEqual(["..%2Fetc", "ot-not-one-of-ours"]);
  rmSync(foreign, { recursive: true });
  rmSync(stateDirectory, { recursive: true });
});

test("a folder that is removed is forgotten", async () => {
  const stateDirectory = mkdtempSync(join(tmpdir(), "opentalon-test-"));
  const folder = await createTemporaryFolders(stateDirectory).create();
  await folder.remove();
  expect(readdirSync(join(stateDirectory, "plugin-folders"))).toEqual([]);
  rmSync(stateDirectory, { recursive: true });
});
