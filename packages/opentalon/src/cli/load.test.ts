import { expect, test, vi } from "vitest";
import { ConfigError } from "../base/errors.ts";
import { createSecret } from "../base/secret.ts";
import { reportError } from "./load.ts";

function report(error: unknown): string {
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  try {
    reportError(error);
    return write.mock.calls.map(([text]) => String(text)).join("");
  } finally {
    write.mockRestore();
  }
}

test("an error on the terminal keeps its lines, and neither steers it nor tells secrets", () => {
  createSecret("pa55word-of-the-terminal");
  const message = "no:\n\u001b[2J\u009b31mit is pa55word-of-the-terminal\n";
  expect(report(new ConfigError("CONFIG_INVALID", message))).toBe(
    "opentalon: no:\n�31mit is [secret]\n(CONFIG_INVALID)\n",
  );
});

test("a defect comes with its stack", () => {
  const text = report(new Error("evil\u001b]0;title\u0007 pa55word-of-the-terminal"));
  expect(text).toMatch(/^opentalon: unexpected error\nError: evil�\]0;title� \[secret\]\n {4}at /);
});
