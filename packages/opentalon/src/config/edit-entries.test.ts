import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { editEntries, type EntryEdit } from "./edit-entries.ts";

const entry = { enabled: true, github: "o/tiny-plugin", ref: "v1" };
const add: EntryEdit = { kind: "add", section: "plugins", name: "tiny", entry };
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
    expect(editEntries(file, add)).toBe(
      file.replace("    enabled: false\n", `    enabled: false\n  ${block}`),
    );
    const last = "plugins:\n    one: {enabled: true} # yes";
    expect(editEntries(last, add)).toBe(
      `${last}\n    tiny:\n      enabled: true\n      github: o/tiny-plugin\n      ref: v1\n`,
    );
    const bare = "plugins:\n  one:\n  # nothing yet\nlog: {}\n";
    expect(parse(editEntries(bare, add))).toEqual({
      plugins: { one: null, tiny: entry },
      log: {},
    });
  });

  it("makes the section when there is none", () => {
    expect(editEntries("# mine\nlog:\n  level: info\n", add)).toBe(
      `# mine\nlog:\n  level: info\n\nplugins:\n  ${block}`,
    );
    expect(editEntries("", add)).toBe(`plugins:\n  ${block}`);
    for (const empty of ["plugins:\n", "plugins: {}\n", "plugins: ~ # none\nlog: {}\n"])
      expect(parse(editEntries(empty, add))).toMatchObject({ plugins: { tiny: entry } });
  });

  it("writes lines behind braces that hold nothing", () => {
    expect(editEntries("log:\n  level: info\nplugins: {}\n", add)).toBe(
      `log:\n  level: info\nplugins:\n  ${block}`,
    );
    expect(parse(editEntries("{plugins: {}}\n", add))).toEqual({ plugins: { tiny: entry } });
  });

  it("writes other forms anew, with their comments", () => {
    const flow = '# mine\n{"plugins": {"one": {"enabled": true}}, "log": {}}\n';
    const edited = editEntries(flow, add);
    expect(edited).toContain("# mine");
    expect(parse(edited)).toEqual({ plugins: { one: { enabled: true }, tiny: entry }, log: {} });
    const twoParts = "---\nlog: {} # mine\n";
    expect(parse(editEntries(twoParts, add))).toEqual({ log: {}, plugins: { tiny: entry } });
  });

  it("quotes what could be taken for something else", () => {
    const odd = { plugin: "/a b/#c: d", ref: "1.0" };
    const edited = editEntries("log: {}\n", {
      kind: "add",
      section: "plugins",
      name: "no",
      entry: odd,
    });
    expect(parse(edited)).toEqual({ log: {}, plugins: { no: odd } });
  });

  it("removes an entry and leaves every other byte alone", () => {
    expect(editEntries(file, { kind: "remove", section: "plugins", name: "two" })).toBe(
      file.replace("  two:\n    enabled: false\n", ""),
    );
    expect(editEntries(file, { kind: "remove", section: "plugins", name: "one" })).toBe(
      file.replace(/ {2}one:\n.*\n.*\n/, ""),
    );
    const only = "# mine\nplugins:\n  one:\n    enabled: true\nlog: {}\n";
    const edited = editEntries(only, { kind: "remove", section: "plugins", name: "one" });
    expect(edited).toContain("# mine");
    expect(parse(edited)).toEqual({ plugins: {}, log: {} });
  });

  it("edits channels, too", () => {
    const channels: EntryEdit = { ...add, section: "channels" };
    const edited = editEntries(file, channels);
    expect(edited).toBe(`${file}\n\nchannels:\n  ${block}`);
    expect(editEntries(edited, { ...channels, name: "other" })).toContain(`  other:\n    enabled`);
    expect(() => editEntries("channels: 7\n", channels)).toThrow("`channels:`");
  });

  it("takes back what it added", () => {
    const added = editEntries(file, add);
    expect(editEntries(added, { kind: "remove", section: "plugins", name: "tiny" })).toBe(file);
  });

  it("says so when it cannot", () => {
    for (const text of ["plugins: [1]\n", "- 1\n", "a: {\n", "x: &x {a: 1}\nplugins: *x\n"])
      expect(() => editEntries(text, add)).toThrow("change it by hand");
  });
});
