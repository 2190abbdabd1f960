import { describe, expect, test } from "vitest";
import { ConfigFileError } from "./problems.ts";
import { parseConfig } from "./load-config.ts";

function failWith(text: string): ConfigFileError {
  try {
    parseConfig({ text, path: "config.yaml", environment: {} });
  } catch (error) {
    if (error instanceof ConfigFileError) return error;
    throw error;
  }
  throw new Error("the text was accepted");
}

describe("syntax", () => {
  test.each([
    ["a tab", "log:\n\tlevel: info\n", 2, "Indent with spaces"],
    ["a quote that is not closed", 'log:\n  level: "info\n', 3, "quote is missing"],
    [
      "a list that is not closed",
      "routing:\n  fallbacks: [a, b\nlog: {}\n",
      3,
      "bracket further up",
    ],
    ["indentation that does not fit", "log:\n    level: info\n  file: x\n", 3, "indent"],
    ["an alias without an anchor", "log:\n  file: *nowhere\n", 2, "must stand in quotes"],
    ["a reserved sign", "log:\n  file: @x\n", 2, "must stand in quotes"],
  ])("%s is reported with its line", (_, text, line, words) => {
    const error = failWith(text);
    expect(error.code).toBe("CONFIG_SYNTAX");
    expect(error.problems[0]).toMatchObject({
      line,
      message: expect.stringContaining(words) as string,
    });
  });

  test("an error never quotes the file, which may hold credentials", () => {
    for (const text of [
      "a:\n  password: *hunter22\n",
      "a: @hunter22\n",
      "a: [hunter22\nb: hunter22: x\n",
      "a: !hunter22 &x *hunter22\n",
    ]) {
      expect(failWith(text).message).not.toContain("hunter22");
    }
  });

  test("a key that stands twice is an error that names both lines, also in parts nobody knows", () => {
    const error = failWith("log: {}\nunknown:\n  a: 1\n  b: 2\n  a: 3\nlog: {}\n");
    expect(error.message).toBe(
      [
        "config.yaml has 2 problems:",
        "",
        "  line 5  a",
        "          The key stands here twice; it is also in line 3. Remove one.",
        "  line 6  log",
        "          The key stands here twice; it is also in line 1. Remove one.",
      ].join("\n"),
    );
  });

  test("only the first of several documents is read", () => {
    const { config, warnings } = parseConfig({
      text: "log: {level: warn}\n---\nlog: {level: debug}\n",
      path: "config.yaml",
      environment: {},
    });
    expect(config.log.level).toBe("warn");
    expect(warnings).toHaveLength(1);
  });
});

describe("hostile files", () => {
  test("aliases that multiply are refused", () => {
    const levels = Array.from({ length: 9 }, (_, level) => {
      const items =
        level === 0
          ? "x, x, x, x, x, x, x, x, x, x"
          : Array(10)
              .fill(`*a${level - 1}`)
              .join(", ");
      return `  a${level}: &a${level} [${items}]`;
    });
    const text = `channels:\n  console:\n    config:\n${levels.map((line) => `    ${line}`).join("\n")}\n`;
    const error = failWith(text);
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toContain("more than 100000 values");
  });

  test("merge keys that multiply are refused", () => {
    const levels = Array.from({ length: 20 }, (_, level) => {
      const merged =
        level === 0
          ? "k: 1"
          : `<<: [${Array(10)
              .fill(`*m${level - 1}`)
              .join(", ")}]`;
      return `m${level}: &m${level} {${merged}}`;
    });
    expect(
      failWith(
        `channels:\n  console:\n    config:\n${levels.map((line) => `      ${line}`).join("\n")}\n`,
      ).message,
    ).toContain("100000 values");
  });

  test("an alias inside its own anchor is refused", () => {
    expect(failWith("channels:\n  console:\n    config: &a\n      inner: *a\n").code).toBe(
      "CONFIG_INVALID",
    );
    expect(failWith("channels: &a\n  <<: *a\n").code).toBe("CONFIG_INVALID");
  });

  test("deep nesting is refused", () => {
    expect(failWith(`a: ${"[".repeat(500)}${"]".repeat(500)}\n`).message).toContain("nested");
    expect(failWith(`a: ${"[".repeat(100_000)}\n`).code).toBe("CONFIG_SYNTAX");
  });

  test("many keys are read in reasonable time", { timeout: 60_000 }, () => {
    const text = Array.from({ length: 30_000 }, (_, index) => `key${index}: 1\n`).join("");
    const { warnings } = parseConfig({ text, path: "config.yaml", environment: {} });
    expect(warnings.length).toBe(100);
  });
});
