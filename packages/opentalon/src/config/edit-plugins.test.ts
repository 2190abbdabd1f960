import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { editPlugins, type PluginsEdit } from "./edit-plugins.ts";

const entry = { enabled: true, github: "o/tiny-plugin", ref: "v1" };
const add: PluginsEdit = { kind: "add", name: "tiny", entry };
const block = "tiny:\n    enabled: true\n    github: o/tiny-plugin\n    ref: v1\n";

const file = `# top
models:   {a:   1}   # odd   blanks

plugins:   # here
  # first
  one:
    enabled: true   # yes
    config: {x: 1}

  # second
  two:
    enabled: false
  # the end of plugins

# about state
state:
  data_dir: x # no line break behind it`;

describe("editing the plugins of a configuration file", () => {
  it("adds an entry and leaves every other byte alone", () => {
    expect(editPlugins(file, add)).toBe(
      file.replace("    enabled: false\n", `    enabled: false\n  ${block}`),
    );
    const last = "plugins:\n    one: {enabled: true} # yes";
    expect(editPlugins(last, add)).toBe(
      `${last}\n    tiny:\n      enabled: true\n      github: o/tiny-plugin\n      ref: v1\n`,
    );
    const bare = "plugins:\n  one:\n  # nothing yet\nlog: {}\n";
    expect(parse(editPlugins(bare, add))).toEqual({
      plugins: { one: null, tiny: entry },
      log: {},
    });
  });

  it("makes the section when there is none", () => {
    expect(editPlugins("# mine\nlog:\n  level: info\n", add)).toBe(
      `# mine\nlog:\n  level: info\n\nplugins:\n  ${block}`,
    );
    expect(editPlugins("", add)).toBe(`plugins:\n  ${block}`);
    for (const empty of ["plugins:\n", "plugins: {}\n", "plugins: ~ # none\nlog: {}\n"])
      expect(parse(editPlugins(empty, add))).toMatchObject({ plugins: { tiny: entry } });
  });

  it("writes lines behind braces that hold nothing", () => {
    expect(editPlugins("log:\n  level: info\nplugins: {}\n", add)).toBe(
      `log:\n  level: info\nplugins:\n  ${block}`,
    );
    expect(parse(editPlugins("{plugins: {}}\n", add))).toEqual({ plugins: { tiny: entry } });
  });

  it("writes other forms anew, with their comments", () => {
    const flow = '# mine\n{"plugins": {"one": {"enabled": true}}, "log": {}}\n';
    const edited = editPlugins(flow, add);
    expect(edited).toContain("# mine");
    expect(parse(edited)).toEqual({ plugins: { one: { enabled: true }, tiny: entry }, log: {} });
    const twoParts = "---\nlog: {} # mine\n";
    expect(parse(editPlugins(twoParts, add))).toEqual({ log: {}, plugins: { tiny: entry } });
  });

  it("quotes what could be taken for something else", () => {
    const odd = { plugin: "/a b/#c: d", ref: "1.0" };
    const edited = editPlugins("log: {}\n", { kind: "add", name: "no", entry: odd });
    expect(parse(edited)).toEqual({ log: {}, plugins: { no: odd } });
  });

  it("removes an entry and leaves every other byte alone", () => {
    expect(editPlugins(file, { kind: "remove", name: "two" })).toBe(
      file.replace("  two:\n    enabled: false\n", ""),
    );
    expect(editPlugins(file, { kind: "remove", name: "one" })).toBe(
      file.replace(/ {2}one:\n.*\n.*\n/, ""),
    );
    const only = "# mine\nplugins:\n  one:\n    enabled: true\nlog: {}\n";
    const edited = editPlugins(only, { kind: "remove", name: "one" });
    expect(edited).toContain("# mine");
    expect(parse(edited)).toEqual({ plugins: {}, log: {} });
  });

  it("takes back what it added", () => {
    const added = editPlugins(file, add);
    expect(editPlugins(added, { kind: "remove", name: "tiny" })).toBe(file);
  });

  it("says so when it cannot", () => {
    for (const text of ["plugins: [1]\n", "- 1\n", "a: {\n", "x: &x {a: 1}\nplugins: *x\n"])
      expect(() => editPlugins(text, add)).toThrow("change it by hand");
  });
});
