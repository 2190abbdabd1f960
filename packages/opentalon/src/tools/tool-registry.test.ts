import { describe, expect, it } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import { toToolName } from "../domain/tool.ts";
import { createTool } from "./testing/create-tool.ts";
import { createToolRegistry } from "./tool-registry.ts";

const registryOf = (...names: readonly string[]) => {
  const tools = names.map((name) => {
    const [plugin = "", ...action] = name.split(" ");
    return createTool({ plugin, action: action.join(" ") });
  });
  return createToolRegistry({ sources: [{ tools: () => tools }], log: createSilentLog() });
};

const found = (registry: ReturnType<typeof registryOf>, name: string): string => {
  const lookup = registry.lookup(name);
  return lookup.kind === "found" ? toToolName(lookup.tool) : lookup.kind;
};

describe("the tool registry", () => {
  it("finds a tool by its name, and by the older spelling with a dot", () => {
    const registry = registryOf("weather forecast", "shop list__all");
    expect(found(registry, "weather__forecast")).toBe("weather__forecast");
    expect(found(registry, " weather.forecast ")).toBe("weather__forecast");
    expect(found(registry, "shop__list__all")).toBe("shop__list__all");
    expect(found(registry, "shop.list__all")).toBe("shop__list__all");
  });

  it("forgives underscores for hyphens and a plugin's name too many or too few", () => {
    const registry = registryOf("my-app list-org-units", "jira jira__search");
    for (const name of [
      "my_app__list_org_units",
      "my-app__list_org-units",
      "my-app.my-app__list_org_units",
    ]) {
      expect(found(registry, name)).toBe("my-app__list-org-units");
    }
    expect(found(registry, "jira__search")).toBe("jira__jira__search");
  });

  it("gives the host what it names and nothing that is merely similar", () => {
    const registry = registryOf("team_perms check", "perms__perms check", "shop list-all");
    expect(registry.find("shop__list-all")?.action).toBe("list-all");
    for (const name of [
      "team-perms__check",
      "perms__check",
      "shop.list-all",
      "shop__list_all",
      " shop__list-all",
      "",
    ]) {
      expect(registry.find(name)).toBeUndefined();
    }
  });

  it("does not guess between two", () => {
    const registry = registryOf("shop list_all", "shop list-all", "a x", "a a__x");
    expect(found(registry, "shop__list_all")).toBe("shop__list_all");
    expect(found(registry, "shop__list-all")).toBe("shop__list-all");
    expect(found(registry, "a__x")).toBe("a__x");
    const two = registryOf("shop list-all_now", "shop list_all-now");
    expect(two.lookup("shop__list_all_now")).toEqual({
      kind: "unknown",
      similar: ["shop__list-all_now", "shop__list_all-now"],
    });
  });

  it("says what is wrong with a name, and what may be meant", () => {
    const registry = registryOf("weather forecast", "weather now", "shop buy");
    for (const name of ["", "forecast", "__forecast", "weather__", ".x", "weather."]) {
      expect(registry.lookup(name)).toEqual({ kind: "malformed" });
    }
    expect(registry.lookup("weather__tomorrow")).toEqual({
      kind: "unknown",
      similar: ["weather__forecast", "weather__now"],
    });
  });

  it("asks its sources each time, because plugins come and go", () => {
    let tools = [createTool({ plugin: "a", action: "x" })];
    const registry = createToolRegistry({
      sources: [{ tools: () => tools }],
      log: createSilentLog(),
    });
    expect(registry.list()).toHaveLength(1);
    tools = [];
    expect(registry.list()).toHaveLength(0);
    expect(registry.lookup("a__x").kind).toBe("unknown");
  });

  it("offers no tools for people only, and of the allowed plugins only", () => {
    const tools = [
      createTool({ plugin: "a", action: "x" }),
      createTool({ plugin: "b", action: "y", userOnly: true }),
      createTool({ plugin: "c", action: "z" }),
    ];
    const registry = createToolRegistry({
      sources: [{ tools: () => tools }],
      log: createSilentLog(),
    });
    expect(registry.list().map(toToolName)).toEqual(["a__x", "b__y", "c__z"]);
    expect(registry.offered().map(toToolName)).toEqual(["a__x", "c__z"]);
    expect(registry.offered(["c", "b"]).map(toToolName)).toEqual(["c__z"]);
  });

  it("leaves out one bad name and the second of two equal ones, and warns once", () => {
    const warnings: string[] = [];
    const first = createTool({ plugin: "a", action: "b__c", description: "first" });
    const registry = createToolRegistry({
      sources: [
        { tools: () => [first, createTool({ plugin: "a", action: "has space" })] },
        { tools: () => [createTool({ plugin: "a__b", action: "c", description: "second" })] },
      ],
      log: { warn: (_: unknown, message?: string) => void warnings.push(message ?? "") },
    });
    expect(registry.list()).toEqual([first]);
    registry.list();
    expect(warnings).toHaveLength(2);
  });
});
