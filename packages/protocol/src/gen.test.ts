import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const generated = "packages/protocol/src/gen";

test(
  "the generated code is current: `npx buf generate` changes nothing",
  { timeout: 60_000 },
  () => {
    const temporary = mkdtempSync(join(tmpdir(), "opentalon-gen-"));
    try {
      execFileSync(join(root, "node_modules/.bin/buf"), ["generate", "-o", temporary], {
        cwd: root,
        // The generator is a script for `node`, the one that runs this test.
        env: {
          ...process.env,
          PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
        },
      });
      expect(readTree(join(root, generated))).toEqual(readTree(join(temporary, generated)));
    } finally {
      rmSync(temporary, { recursive: true });
    }
  },
);

test("the protocol files have good style", () => {
  execFileSync(join(root, "node_modules/.bin/buf"), ["lint"], { cwd: root });
});

/** Contents by path below `folder`. */
function readTree(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".ts"),
  );
  expect(files).not.toEqual([]);
  return Object.fromEntries(
    files.sort().map((path) => [path, readFileSync(join(folder, path), "utf8")]),
  );
}
