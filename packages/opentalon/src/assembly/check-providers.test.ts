import { expect, it } from "vitest";
import { parseConfig } from "../config/load-config.ts";
import { findProviderProblems } from "./check-providers.ts";

const check = (providers: string): Promise<readonly string[]> => {
  const text = `models: {providers: {${providers}}}`;
  return findProviderProblems(parseConfig({ text, path: "config.yaml", environment: {} }).config);
};

it("finds nothing wrong with what a start would take, and with what it would leave out", async () => {
  const providers = "openai: {api_key: k}, own: {plugin: ./own}, gone: {api_key: '${MISSING}'}";
  expect(await check(providers)).toEqual([]);
});

it("names every provider that a start would stumble over", async () => {
  const problems = await check(
    "azure: {api_key: k}, bedrock: {region: r}, p: {base_url: '127.0.0.1:80/v1'}, opneai: {api_key: k}",
  );
  expect(problems).toHaveLength(4);
  expect(problems.join("\n")).toMatch(
    /azure has no base_url[^]*bedrock has no cred[^]*provider p: /,
  );
});
