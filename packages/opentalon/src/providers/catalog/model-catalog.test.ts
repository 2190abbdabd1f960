import { expect, it } from "vitest";
import { catalogData } from "./model-catalog-data.ts";
import type { CatalogModel } from "./model-catalog-data.ts";
import { findCatalogModel } from "./model-catalog.ts";
import type { CatalogQuery } from "./model-catalog.ts";

function find(id: string, place: Partial<CatalogQuery> = {}): CatalogModel | undefined {
  return findCatalogModel({ provider: "mine", api: "openai-completions", id, ...place });
}

const { anthropic, openai, google, bedrock, mistral } = catalogData;

it.each([
  ["gpt-4.1-mini", openai["gpt-4.1-mini"]],
  ["gpt-4.1-mini-2025-04-14", openai["gpt-4.1-mini"]],
  ["gpt-4.1", openai["gpt-4.1"]],
  ["gpt-4-0613", openai["gpt-4"]],
  ["gpt-4-1106-preview", openai["gpt-4-1106-preview"]],
  ["gpt-4o-2024-05-13", openai["gpt-4o-2024-05-13"]],
  ["gpt-4o-2024-08-06", openai["gpt-4o"]],
  ["gpt-5-chat-latest", openai["gpt-5-chat"]],
  ["o3-2025-04-16", openai["o3"]],
])("finds %s by its longest name", (id, expected) => {
  expect(expected).toBeDefined();
  expect(find(id)).toBe(expected);
});

it.each([
  "gpt-4o-audio-preview",
  "gpt-4.5-preview",
  "gpt-4-32k",
  "gpt-5.9",
  "o3-deep-research",
  "gpt",
  "",
  "constructor",
])("does not take %s for a model that sounds alike", (id) => {
  expect(find(id)).toBeUndefined();
});

it("knows the models of a service by its address, its name or its language, in this order", () => {
  const id = "claude-sonnet-4-5-20250929";
  const claude = anthropic["claude-sonnet-4-5"];
  expect(find(id, { api: "anthropic-messages" })).toBe(claude);
  expect(find(id, { provider: "anthropic", baseUrl: "http://127.0.0.1:1/v1" })).toBe(claude);
  expect(find(id, { baseUrl: "https://api.anthropic.com/v1" })).toBe(claude);
  expect(find(id, { provider: "anthropic", baseUrl: "https://api.openai.com/v1" })).toBeUndefined();
  expect(find("gpt-4o", { baseUrl: "http://127.0.0.1:1/v1" })).toBeUndefined();
  expect(find("gpt-4o", { baseUrl: "https://api.openai.com.evil.example/v1" })).toBeUndefined();
  expect(find("gpt-4o", { baseUrl: "https://mine.openai.azure.com/openai/v1" })).toBe(
    openai["gpt-4o"],
  );
});

it("knows the names of resellers", () => {
  const router = { provider: "openrouter" };
  expect(find("anthropic/claude-sonnet-4.5", router)).toBe(anthropic["claude-sonnet-4-5"]);
  expect(find("mistralai/mistral-medium-2508", router)).toBe(mistral["mistral-medium"]);
  expect(find("google/gemini-2.5-flash", router)).toBe(google["gemini-2.5-flash"]);
  expect(find("google/gemini-2.0-flash-exp:free", router)?.cost).toEqual({ input: 0, output: 0 });
  expect(find("deepseek/deepseek-chat", router)).toBeUndefined();
  expect(find("gpt-4o", router)).toBeUndefined();
  const api = "bedrock-converse";
  expect(find("us.anthropic.claude-sonnet-4-5-20250929-v1:0", { api })).toBe(
    anthropic["claude-sonnet-4-5"],
  );
  expect(find("amazon.nova-pro-v1:0", { api })).toBe(bedrock["amazon.nova-pro"]);
  expect(find("openai.gpt-oss-120b-1:0", { api })).toBe(bedrock["openai.gpt-oss-120b"]);
  expect(find("gemini-2.5-flash-001", { api: "google-vertex" })).toBe(google["gemini-2.5-flash"]);
});

it("holds prices and sizes that make sense", () => {
  for (const models of Object.values(catalogData)) {
    for (const [name, { cost, contextWindow, maxOutput, input }] of Object.entries(models)) {
      expect(contextWindow, name).toBeGreaterThan(1_000);
      expect(maxOutput, name).toBeLessThanOrEqual(contextWindow);
      expect(cost.input, name).toBeGreaterThan(0);
      expect(cost.output, name).toBeGreaterThanOrEqual(cost.input);
      expect(cost.cachedInput ?? cost.input, name).toBeLessThanOrEqual(cost.input);
      expect(input, name).toContain("text");
    }
  }
});

it("bills Claude's cache apart", () => {
  expect(anthropic["claude-sonnet-4-5"]?.cost).toEqual({
    input: 3,
    output: 15,
    cachedInput: expect.closeTo(0.3) as number,
    cacheWrite: 3.75,
  });
});
