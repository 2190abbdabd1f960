import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CheckOptions, CheckReport, PluginKind } from "./check-options.ts";
import { checkPlugin } from "./check-plugin.ts";
import { sourceArguments } from "../testing/source-arguments.ts";

const breaker = fileURLToPath(new URL("testing/rule-breaker.ts", import.meta.url));
const toCommand = (what: string, rule = ""): readonly string[] => [
  process.execPath,
  ...sourceArguments,
  breaker,
  what,
  rule,
];
const limits = { callMs: 4_000, introductionMs: 4_000, stopMs: 4_000, handshakeMs: 20_000 };
const check = (what: string, rule = "", options: CheckOptions = {}): Promise<CheckReport> =>
  checkPlugin(toCommand(what, rule), { limits, ...options });
const brokenOf = ({ results }: CheckReport): readonly string[] =>
  results.filter(({ outcome }) => outcome === "broken").map(({ rule }) => rule);
const patience = { timeout: 120_000 };

// Only a plugin that gets the whole environment is given it.
beforeAll(() => {
  process.env["RULE_BREAKER_NEEDS"] = "this";
});
afterAll(() => {
  delete process.env["RULE_BREAKER_NEEDS"];
});

const calls: CheckOptions = { calls: [{ action: "parrot", args: { text: "hello" } }] };

describe.concurrent("a plugin that keeps the rules is found to keep them all", () => {
  test.each<[string, CheckOptions]>([
    ["tool", {}],
    ["tool:json", {}],
    ["provider", calls],
    ["channel", {}],
  ])("%s", patience, async (what, options) => {
    const report = await check(what, "", options);
    expect(brokenOf(report)).toEqual([]);
    expect(report).toMatchObject({ kind: what.split(":")[0], isUsable: true });
    const looked = report.results.filter(({ outcome }) => outcome === "kept");
    expect(looked.length).toBeGreaterThan(15);
  });
});

/** Rules that do not meet are broken together, so that the test does not take minutes. */
const groups: readonly [string, readonly string[], CheckOptions?][] = [
  ["tool", ["listens"]],
  ["tool", ["speaks"]],
  ["tool", ["capabilities"]],
  ["tool", ["init"]],
  ["tool", ["stops-on-sigint", "small-environment"]],
  [
    "tool",
    [
      "first-line",
      "quick-start",
      "socket-in-tmpdir",
      "refuses-wrong-configuration",
      "names",
      "parameter-types",
      "schemas-parse",
      "sizes",
      "valid-utf8",
      "unknown-action",
      "refresh",
      "exit-code",
      "leaves-no-process",
      "quiet-stdout",
      "quiet-stderr",
      "ends-with-its-host",
    ],
    { limits: { ...limits, quickStartMs: 1 } },
  ],
  ["tool", ["unique-names", "schemas-usable", "calls", "unknown-arguments", "parallel-calls"]],
  ["tool", ["has-actions", "callbacks", "nonsense-client", "leaves-no-files"]],
  ["tool", ["descriptions", "call-id", "results", "long-argument", "invalid-utf8"]],
  ["tool", ["cancelled-calls", "vanished-client"]],
  ["tool", ["several-connections"]],
  ["tool", ["reconnect"]],
  ["tool:json", ["names", "unknown-action", "answers-in-order", "unknown-method"]],
  ["tool:json", ["call-id", "invalid-utf8", "closes-on-oversize"]],
  ["provider", ["init"]],
  ["provider", ["refuses-wrong-configuration", "models", "complete"]],
  ["provider", ["model-names", "model-facts", "answers", "parallel-calls"], calls],
  ["provider", ["cancelled-calls"]],
  ["channel", ["listens"]],
  ["channel", ["channel-capabilities", "response-format", "configure", "tools", "typing"]],
  ["channel", ["start", "send", "stands-alone", "ends-well"]],
  ["channel", ["start-again"]],
];

describe.concurrent("a plugin that breaks rules is found to break those, and no others", () => {
  test.each(groups)("%s: %j", patience, async (what, rules, options = {}) => {
    const kind = what.split(":")[0] as PluginKind;
    const report = await check(what, rules.join(), { kind, ...options });
    expect(brokenOf(report).toSorted()).toEqual(rules.toSorted());
    const found = report.results.filter(({ outcome }) => outcome === "broken");
    for (const { why, remedy } of found) expect([why, remedy]).not.toContain("");
    expect(report.isUsable).toBe(!found.some(({ level }) => level === "must"));
  });
});
