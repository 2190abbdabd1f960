import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import { parseConfig } from "../config/load-config.ts";
import type { PluginEntry } from "../plugins/plugin-entry.ts";
import type { WantedBuild } from "../plugins/sources/built-sources.ts";
import { discoverPlugins } from "./discover-plugins.ts";
import { toPluginEntries } from "./plugin-entries.ts";

function createFolder(programs: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), "opentalon-entries-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const path of programs) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), "#!/bin/sh\n", { mode: 0o755 });
  }
  return folder;
}

interface Found {
  readonly entries: readonly PluginEntry[];
  /** What would be built, by key. */
  readonly wanted: ReadonlyMap<string, WantedBuild>;
}

async function find(plugins: unknown, bundledPlugins = createFolder()): Promise<Found> {
  const text = JSON.stringify({ plugins });
  const { config } = parseConfig({ text, path: "/etc/opentalon/config.yaml", environment: {} });
  const wanted = new Map<string, WantedBuild>();
  const entries = toPluginEntries({
    config,
    bundledPlugins,
    prepare: async (plugin) => {
      wanted.set(plugin.name, plugin);
      return { command: [] };
    },
    log: createSilentLog(),
  });
  for (const { prepare } of entries) await prepare?.(new AbortController().signal);
  return { entries, wanted };
}

const commandsOf = ({ entries }: Found): Record<string, unknown> =>
  Object.fromEntries(entries.map(({ key, command }) => [key, command]));

describe("what an entry below plugins: runs", () => {
  it("is a program, its arguments, or a plugin that comes with OpenTalon under any of its names", async () => {
    const bundled = createFolder(["hello-world/hello-world-plugin", "mcp/mcp-plugin"]);
    const hello = join(bundled, "hello-world", "hello-world-plugin");
    const mcp = join(bundled, "mcp", "mcp-plugin");
    const found = await find(
      {
        a: { enabled: true, plugin: ["/bin/tool", "--quiet"] },
        b: { enabled: true, github: "opentalon/hellow-world-plugin", ref: "master" },
        c: { enabled: true, github: "opentalon/hello-world-plugin" },
        d: { enabled: true, github: "opentalon/mcp-plugin" },
        e: { enabled: false, plugin: "/bin/tool" },
        f: { enabled: true },
      },
      bundled,
    );
    expect(commandsOf(found)).toEqual({
      a: ["/bin/tool", "--quiet"],
      b: [hello],
      c: [hello],
      d: [mcp],
    });
    expect(found.wanted.size).toBe(0);
  });

  it("is built from a repository, or from a folder that git knows nothing of", async () => {
    const folder = createFolder();
    const repository = createFolder();
    mkdirSync(join(repository, ".git"));
    const { wanted } = await find({
      remote: {
        enabled: true,
        github: "o/tool",
        ref: "v1",
        bundle: [
          { name: "asp", github: "opentalon/tln-asp", ref: "master" },
          {
            name: "db",
            github: "https://github.com/opentalon/tln-db.git",
            ref: "v0.2.0",
            store: true,
          },
        ],
      },
      local: { enabled: true, github: repository },
      plain: { enabled: true, github: folder },
      own: { enabled: true, plugin: folder },
    });
    expect(wanted.get("remote")).toEqual({
      name: "remote",
      source: { kind: "git", repository: "o/tool", reference: "v1" },
      bundle:
        'plugin "asp" "master" from "github.com/opentalon/tln-asp"\nplugin "db" "v0.2.0" store from "github.com/opentalon/tln-db"\n',
    });
    expect(wanted.get("local")?.source).toEqual({
      kind: "git",
      repository,
      reference: "",
    });
    for (const key of ["plain", "own"])
      expect(wanted.get(key)?.source).toEqual({ kind: "folder", path: folder });
  });

  it("comes from plugin_dir, where the entry says nothing else", async () => {
    const directory = createFolder(["a.py", "b/b-plugin", "c", "d"]);
    const found = await find({
      tools: { plugin_dir: directory },
      a: { enabled: true, config: { x: 1 } },
      c: { enabled: false },
      d: { enabled: true, plugin: "/bin/other" },
    });
    expect(commandsOf(found)).toEqual({
      a: [join(directory, "a.py")],
      b: [join(directory, "b", "b-plugin")],
      d: ["/bin/other"],
    });
    expect(found.entries.find(({ key }) => key === "a")?.configJson).toBe('{"x":1}');
  });
});

describe("plugins.tools.plugin_dir", () => {
  it("leaves out what has a bad name or no program, and what comes second", () => {
    const directory = createFolder([
      "good",
      "twice.py",
      "twice.sh",
      ".hidden",
      "a b",
      "a__b",
      "tools",
      "scheduler",
      "folder/other",
    ]);
    writeFileSync(join(directory, "notes.txt"), "");
    chmodSync(join(directory, "notes.txt"), 0o644);
    expect([...discoverPlugins(directory, createSilentLog()).keys()]).toEqual(["good", "twice"]);
    expect(discoverPlugins(join(directory, "none"), createSilentLog()).size).toBe(0);
  });
});
