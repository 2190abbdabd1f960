import { describe, expect, it } from "vitest";
import type { Environment } from "./expand-variables.ts";
import { parseConfig } from "./load-config.ts";

const load = (provider: Readonly<Record<string, unknown>>, environment: Environment) => {
  const entry = { base_url: "https://models.example/v1", models: ["small"], ...provider };
  const text = JSON.stringify({ models: { providers: { p: entry } } });
  const loaded = parseConfig({ text, path: "/etc/config.yaml", environment });
  const { apiKeys, unconfigured } = loaded.config.models.providers["p"] ?? {};
  return { ...loaded, keys: apiKeys?.map((key) => key.reveal()), unconfigured };
};

describe("numbered variables", () => {
  it("add keys to the one that is named, up to the first gap", () => {
    const { keys, warnings } = load(
      { api_key: "${NAME}", api_keys: ["listed-key"] },
      { NAME: "key-zero", NAME_1: "key-one", NAME_2: "key-two", NAME_4: "key-four" },
    );
    expect(keys).toEqual(["key-zero", "listed-key", "key-one", "key-two"]);
    expect(warnings).toEqual([]);
  });

  it("are enough by themselves", () => {
    const { keys, unconfigured } = load({ api_key: "${NAME}" }, { NAME_1: "key-one" });
    expect(keys).toEqual(["key-one"]);
    expect(unconfigured).toBeUndefined();
  });

  it("leave the provider out when none is set", () => {
    const { keys, unconfigured } = load({ api_key: "${NAME}" }, { NAME_2: "key-two", NAME_1: "" });
    expect(keys).toEqual([]);
    expect(unconfigured).toEqual({ variable: "NAME" });
  });

  it("belong to a key that is nothing but a variable", () => {
    expect(load({ api_key: "a-${NAME}" }, { NAME: "b", NAME_1: "c" }).keys).toEqual(["a-b"]);
    expect(load({ api_key: "NAME" }, { NAME_1: "c" }).keys).toEqual(["NAME"]);
    expect(load({}, { NAME_1: "c", _1: "d" }).keys).toEqual([]);
  });

  it("are a hundred at most", () => {
    const numbered = Array.from({ length: 150 }, (_, index) => [`NAME_${index + 1}`, "key"]);
    const environment = Object.fromEntries(numbered) as Environment;
    expect(load({ api_key: "${NAME}" }, environment).keys).toHaveLength(100);
  });

  it("are never shown", () => {
    const environment = { NAME: "sk-zero-0123456789", NAME_1: "sk-one-0123456789" };
    const { config, toRedactedYaml } = load({ api_key: "${NAME}" }, environment);
    for (const shown of [
      JSON.stringify(config),
      toRedactedYaml(),
      toRedactedYaml({ defaults: true }),
    ])
      for (const text of Object.values(environment)) expect(shown).not.toContain(text);
  });
});
