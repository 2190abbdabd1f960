import { preamble } from "./prompts/preamble.ts";
import { safetyRules, translatedSafetyRule } from "./prompts/safety-rules.ts";

export interface SystemPromptParts {
  /** `orchestrator.rules`: the operator's own, appended to the built-in ones. */
  readonly rules: readonly string[];
  /** What plugins ask to be said about them, by plugin name. */
  readonly pluginAdditions: readonly { readonly plugin: string; readonly text: string }[];
  /** Tools that have to be loaded before they can be called; empty when there are none. */
  readonly toolCatalogue: string;
  /** How the channel wants answers formatted; empty for no wish. */
  readonly responseFormatPrompt: string;
  /** `prompt_overrides`: texts that replace built-in ones; an empty text blanks its part. */
  readonly overrides: Readonly<Record<string, string>>;
}

const maxAdditionLength = 8_192;

/** The system prompt: who speaks, rules, what plugins add, how to format. The same for every message of a session. */
export function buildSystemPrompt(parts: SystemPromptParts): string {
  const { overrides } = parts;
  const builtInRules =
    overrides["rules_default"] ?? toList([...safetyRules, ...translatedSafetyRule]);
  const sections = [
    overrides["orchestrator_preamble_native"] ?? overrides["orchestrator_preamble"] ?? preamble,
    builtInRules === "" ? "" : `Rules:\n${builtInRules}`,
    parts.rules.length === 0 ? "" : `Rules of this organization:\n${toList(parts.rules)}`,
    ...parts.pluginAdditions.map(
      ({ plugin, text }) =>
        `--- plugin: ${plugin} ---\n${text.slice(0, maxAdditionLength).toWellFormed()}`,
    ),
    parts.toolCatalogue,
    parts.responseFormatPrompt,
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

function toList(rules: readonly string[]): string {
  return rules.map((rule) => `- ${rule.trim().replaceAll("\n", "\n  ")}`).join("\n");
}
