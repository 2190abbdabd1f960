import { describe, expect, it } from "vitest";
import { parseConfig } from "./load-config.ts";

const load = (rest: string, catalog = "{}"): readonly string[] =>
  parseConfig({
    text: `models:
  providers: {p: {base_url: "http://127.0.0.1:1/v1", models: [small, gpt-4.1]}}
  catalog: ${catalog}
${rest}`,
    path: "config.yaml",
    environment: {},
  }).warnings.map(({ message }) => message);

describe("names that fit nothing", () => {
  it.each([
    ["routing: {primary: p/smal}", "routing.primary"],
    ["routing: {fallbacks: [p/smal]}", "routing.fallbacks[0]"],
    ["routing: {pin: {code: p/smal}}", "routing.pin.code"],
  ])("a slip of the pen is told, with what was meant: %s", (rest, key) => {
    const warnings = load(rest);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(key);
    expect(warnings[0]).toContain("Did you mean `p/small`?");
  });

  it.each(["p/small", "p/gpt-4.1-mini", "p/gpt-5.2", "p", "small", "p/something-else"])(
    "a model that may well exist is not questioned: %s",
    (name) => expect(load(`routing: {primary: ${name}}`)).toEqual([]),
  );

  it.each([
    ["{big: {weight: 10}}", "Keys here are written as `provider/model`"],
    ["{q/big: {weight: 10}}", "There is no provider `q`"],
    ["{p/smal: {weight: 10}}", "Did you mean `p/small`?"],
    ["{p/small: {alias: auto}}", "`/model auto` lets routing decide"],
    ["{p/small: {alias: my model}}", "ends at a space"],
    ["{p/small: {alias: x}, p/gpt-4.1: {alias: x}}", "the alias of p/small already"],
  ])("an entry of the catalogue that cannot work is told: %s", (catalog, words) => {
    const warnings = load("", catalog);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(words);
  });

  it("an order for a provider that is not there is told", () => {
    const [warning] = load("auth: {order: {q: [1]}}");
    expect(warning).toContain("There is no provider `q`");
  });
});

it("a model has to have a name", () => {
  const text = "models: {providers: {p: {base_url: 'http://127.0.0.1:1', models: [{name: x}]}}}";
  expect(() => parseConfig({ text, path: "config.yaml", environment: {} })).toThrow(
    /models\.providers\.p\.models\[0\]\.id\s+Expected the name that the provider knows/,
  );
});

describe("a weight", () => {
  it("goes to 100 and not beyond", () => {
    expect(load("", "{p/small: {weight: 100}}")).toEqual([]);
    expect(() => load("", "{p/small: {weight: 101}}")).toThrow(
      /models\.catalog\.p\/small\.weight\s+Expected a whole number from 0 to 100; found 101\./,
    );
  });
});
