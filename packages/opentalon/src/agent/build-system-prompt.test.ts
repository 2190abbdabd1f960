import { encode } from "gpt-tokenizer";
import { describe, expect, it } from "vitest";
import { buildSystemPrompt } from "./build-system-prompt.ts";
import { translatedSafetyRule } from "./prompts/safety-rules.ts";

const bare = {
  rules: [],
  pluginAdditions: [],
  responseFormatPrompt: "",
  toolCatalogue: "",
  overrides: {},
};

describe("system prompt", () => {
  it("costs less than 700 tokens when there is nothing but the built-in rules", () => {
    expect(encode(buildSystemPrompt(bare)).length).toBeLessThan(700);
  });

  it("states the core safety rule in at least eight languages", () => {
    const languages = new Set(translatedSafetyRule.map((rule) => rule.slice(0, 2)));
    expect(languages.size).toBeGreaterThanOrEqual(7);
    const prompt = buildSystemPrompt(bare);
    for (const rule of translatedSafetyRule) expect(prompt).toContain(rule);
  });

  it("appends the organization's rules, multi-line ones indented", () => {
    const prompt = buildSystemPrompt({ ...bare, rules: ["No PII.", "Mind:\n1. this\n2. that"] });
    expect(prompt).toContain(
      "Rules of this organization:\n- No PII.\n- Mind:\n  1. this\n  2. that",
    );
  });

  it("lets an override replace or blank a part", () => {
    expect(buildSystemPrompt({ ...bare, overrides: { rules_default: "" } })).not.toContain(
      "Rules:",
    );
    expect(
      buildSystemPrompt({ ...bare, overrides: { orchestrator_preamble: "You are Bob." } }),
    ).toMatch(/^You are Bob\./);
  });

  it("bounds what a plugin may add and labels it", () => {
    const prompt = buildSystemPrompt({
      ...bare,
      pluginAdditions: [{ plugin: "wiki", text: "x".repeat(100_000) }],
    });
    expect(prompt).toContain("--- plugin: wiki ---");
    expect(prompt.length).toBeLessThan(20_000);
  });
});
