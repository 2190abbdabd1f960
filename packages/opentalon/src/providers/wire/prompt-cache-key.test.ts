import { expect, test } from "vitest";
import { createModel, createRequest } from "../model-adapter.contract.ts";
import {
  toChatCompletionRequest,
  usualDialect,
} from "../chat-completions/chat-completion-request.ts";
import { toPromptCacheKey } from "./prompt-cache-key.ts";

test("a session has one key at OpenAI, which does not tell the session", () => {
  const key = toPromptCacheKey("https://api.openai.com/v1", "slack:C12345");
  expect(key).toMatch(/^[0-9a-f]{32}$/);
  expect(toPromptCacheKey("https://eu.api.openai.com/v1/", "slack:C12345")).toBe(key);
  expect(toPromptCacheKey("https://api.openai.com/v1", "slack:C12346")).not.toBe(key);
});

test("other services get none", () => {
  const others = ["https://api.deepseek.com/v1", "https://api.openai.com.example/v1"];
  for (const url of others) expect(toPromptCacheKey(url, "s")).toBeUndefined();
});

test("the key goes with the request", () => {
  const body = (key?: string): unknown =>
    JSON.parse(toChatCompletionRequest(createModel(), createRequest(), usualDialect, key));
  expect(body("abc")).toMatchObject({ prompt_cache_key: "abc" });
  expect(body()).not.toHaveProperty("prompt_cache_key");
});
