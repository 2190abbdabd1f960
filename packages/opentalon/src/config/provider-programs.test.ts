import { expect, test } from "vitest";
import { ConfigError } from "../base/errors.ts";
import { isSecret } from "../base/secret.ts";
import { type LoadedConfig, parseConfig } from "./load-config.ts";

const load = (provider: string, environment: Readonly<Record<string, string>> = {}): LoadedConfig =>
  parseConfig({
    text: `models: {providers: {own: {${provider}}}}`,
    path: "/etc/opentalon/config.yaml",
    environment,
  });

test("a program is named like that of a tool plugin", () => {
  const { config } = load("plugin: [/opt/own, --quiet], env: [REGION=eu, API_KEY=abcdef]");
  const { own } = config.models.providers;
  expect(own).toMatchObject({ plugin: "/opt/own", arguments: ["--quiet"], dialTimeoutMs: 5_000 });
  expect(own?.env["REGION"]).toBe("eu");
  expect(isSecret(own?.env["API_KEY"])).toBe(true);
  const { config: remote } = load("plugin: grpc://127.0.0.1:5000");
  expect(remote.models.providers["own"]).toMatchObject({
    plugin: "grpc://127.0.0.1:5000",
    arguments: [],
  });
});

test.each([
  ["base_url: http://127.0.0.1:1", "base_url"],
  ["api: openai-completions", "api"],
])("a program and %s exclude each other", (other, key) => {
  let error: unknown;
  try {
    load(`plugin: /opt/own, ${other}`);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(ConfigError);
  expect(String(error)).toContain("models.providers.own.plugin");
  expect(String(error)).toContain(`Remove plugin or ${key}`);
});

test.each([
  "plugin: '${MISSING}/own', api_key: k",
  "plugin: /opt/own, api_key: k, env: ['A=${MISSING}']",
  "plugin: /opt/own, api_key: k, config: {a: '${MISSING}'}",
  "plugin: /opt/own, api_key: '${MISSING}'",
])("a provider is left out when a variable its program needs is not set: %s", (provider) => {
  const { config } = load(provider);
  expect(config.models.providers["own"]?.unconfigured).toEqual({ variable: "MISSING" });
});
