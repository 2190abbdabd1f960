import { expect, test } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import type { ReportedAction } from "./to-capabilities.ts";
import { isPluginName, toPluginCapabilities } from "./to-capabilities.ts";

const log = createSilentLog();

function toReported(names: readonly string[], changes: Partial<ReportedAction> = {}) {
  const actions = names.map((name) => ({
    name,
    description: "",
    parameters: [],
    userOnly: false,
    readOnly: false,
    alwaysInclude: false,
    contextArguments: [],
    ...changes,
  }));
  return {
    name: "p",
    description: "d",
    actions,
    systemPromptAddition: "",
    supportsCallbacks: false,
  };
}

test("the key stands in for a missing name", () => {
  expect(toPluginCapabilities({ ...toReported(["a"]), name: "" }, "key", log)).toMatchObject({
    name: "key",
    tools: [{ plugin: "key", action: "a" }],
  });
  expect(toPluginCapabilities(toReported(["a"]), "key", log)).toMatchObject({
    name: "p",
    tools: [{ plugin: "p" }],
  });
});

test("only an action that cannot be called is left out", () => {
  const names = [
    "good",
    "",
    "has space",
    "ünicode",
    "x".repeat(62),
    "x".repeat(61),
    "good",
    "a.b",
    "also-good_2",
  ];
  const { tools } = toPluginCapabilities(toReported(names), "key", log);
  expect(tools.map((tool) => tool.action)).toEqual(["good", "x".repeat(61), "also-good_2"]);
});

test("however many actions are left out, the log says it with few lines", () => {
  const lines: unknown[] = [];
  const warn = (...line: readonly unknown[]): void => void lines.push(line);
  const names = Array.from({ length: 5_000 }, () => "has space");
  toPluginCapabilities(toReported(names), "key", { ...log, warn });
  expect(lines).toHaveLength(21);
  expect(lines.at(-1)).toEqual([{ leftOut: 5_000 }, expect.stringContaining("left out")]);
});

test("texts and lists are bounded", () => {
  const parameters = Array.from({ length: 500 }, (_, index) => ({
    name: `n${index}`,
    description: "x".repeat(100_000),
    type: "string",
    required: false,
    schema: "x".repeat(100_000),
  }));
  const names = Array.from({ length: 5_000 }, (_, index) => `a${index}`);
  const reported = { ...toReported(names), systemPromptAddition: "é".repeat(100_000) };
  const big = toReported(["big"], { description: "x".repeat(100_000), parameters });
  const capabilities = toPluginCapabilities(
    { ...reported, actions: [...big.actions, ...reported.actions] },
    "key",
    log,
  );
  expect(capabilities.tools).toHaveLength(1_000);
  expect(capabilities.tools[0]?.description).toHaveLength(8_192);
  expect(capabilities.tools[0]?.parameters).toHaveLength(100);
  expect(capabilities.tools[0]?.parameters[0]).toMatchObject({ schema: "" });
  expect(Buffer.byteLength(capabilities.systemPromptAddition)).toBeLessThanOrEqual(65_536);
});

test.each([
  ["hello-world", true],
  ["a", true],
  ["", false],
  ["a b", false],
  ["a/b", false],
  ["x".repeat(61), true],
  ["x".repeat(62), false],
])("%j as a plugin name: %s", (name, expected) => expect(isPluginName(name)).toBe(expected));
