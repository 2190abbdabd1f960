import { expect, test } from "vitest";
import { toMessage } from "../base/errors.ts";
import { parseConfig } from "./load-config.ts";

const tokenUrl = "https://login.example.com/token";
const complete = {
  client_id: "opentalon",
  token_url: tokenUrl,
  device_url: "https://login.example.com/device",
};

const load = (
  oauth: Readonly<Record<string, unknown>> | undefined,
  provider: Readonly<Record<string, unknown>> = {},
  environment: Readonly<Record<string, string>> = {},
) => {
  const entry = { base_url: "https://models.example/v1", models: ["small"], oauth, ...provider };
  const text = JSON.stringify({ models: { providers: { p: entry } } });
  return parseConfig({ text, path: "/etc/config.yaml", environment });
};

const findProblem = (oauth: Readonly<Record<string, unknown>>): string => {
  try {
    load(oauth);
    return "";
  } catch (error) {
    return toMessage(error);
  }
};

test("a provider without the section has no sign-in, one with it needs no key", () => {
  expect(load(undefined).config.models.providers["p"]?.oauth).toBeUndefined();
  const { oauth, unconfigured } = load(complete).config.models.providers["p"] ?? {};
  expect(oauth).toMatchObject({ clientId: "opentalon", tokenUrl, flow: undefined, scopes: [] });
  expect(unconfigured).toBeUndefined();
});

test("what is missing is said with its key", () => {
  expect(findProblem({ ...complete, client_id: "" })).toContain("p.oauth.client_id");
  expect(findProblem({ client_id: "opentalon" })).toContain("p.oauth.token_url");
  const noFlow = { client_id: "opentalon", token_url: tokenUrl };
  expect(findProblem(noFlow)).toContain("needs a device_url or an authorization_url");
  expect(findProblem({ ...complete, flow: "browser" })).toContain("p.oauth.authorization_url");
  expect(findProblem({ ...noFlow, flow: "device" })).toContain("p.oauth.device_url");
  expect(findProblem({ client_id: "opentalon", issuer: "https://login.example.com" })).toBe("");
});

test("addresses where somebody could listen are refused", () => {
  for (const address of ["http://login.example.com/token", "http://127.evil.example/token", "x"])
    expect(findProblem({ ...complete, token_url: address })).toContain("Expected an https address");
  expect(findProblem({ ...complete, token_url: "http://127.0.0.1:8080/token" })).toBe("");
});

test("a key that is not set does not leave out a provider with a sign-in, an unset client does", () => {
  const unset = { api_key: "${KEY}" };
  expect(load(complete, unset).config.models.providers["p"]?.unconfigured).toBeUndefined();
  const { config } = load({ ...complete, client_secret: "${SECRET}" }, unset);
  expect(config.models.providers["p"]?.unconfigured).toEqual({ variable: "SECRET" });
});

test("the client's secret is never shown", () => {
  const secret = "secret-of-the-client";
  const { config, toRedactedYaml } = load(
    { ...complete, client_secret: "${SECRET}" },
    {},
    { SECRET: secret },
  );
  expect(config.models.providers["p"]?.oauth?.clientSecret?.reveal()).toBe(secret);
  for (const shown of [
    JSON.stringify(config),
    toRedactedYaml(),
    toRedactedYaml({ defaults: true }),
  ])
    expect(shown).not.toContain(secret);
});

test("the number 0 stands for the sign-in in auth.order", () => {
  const text = JSON.stringify({ auth: { order: { p: [1, 0] } } });
  const { config } = parseConfig({ text, path: "/etc/config.yaml", environment: {} });
  expect(config.auth.order["p"]).toEqual([1, 0]);
});
