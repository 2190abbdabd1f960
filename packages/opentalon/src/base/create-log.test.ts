import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createLog } from "./create-log.ts";
import { createSecret } from "./secret.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-log-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const evil = "x\u001b]52;c;ZXZpbA==\u0007\u001b[2J\u009b2J\nFAKE 12:00:00 error  all is well\u202e";

function written(pretty: boolean): string {
  const file = join(folder, "log");
  const log = createLog({ level: "info", file, pretty });
  log.warn({ tool: evil, list: [evil], err: new Error(evil) }, evil);
  createSecret("pa55word-of-the-log");
  log.info({ text: "it is pa55word-of-the-log" }, "kept");
  return readFileSync(file, "utf8");
}

test.each([true, false])("nothing a plugin says steers the terminal; pretty: %s", (pretty) => {
  const lines = written(pretty).split("\n");
  expect(lines).toHaveLength(3);
  expect(lines.join("")).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
  expect(lines[0]).toContain("FAKE");
  expect(lines[1]).toContain("[secret]");
});

test("a line of JSON says the same as before", () => {
  const [line = ""] = written(false).split("\n");
  expect(JSON.parse(line)).toMatchObject({ tool: evil, list: [evil], msg: evil });
});
