import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Config } from "../config/load-config.ts";
import type { WantedBuild } from "../plugins/sources/built-sources.ts";
import { isFolder, toBuildSource } from "./source-folders.ts";

export type ConfiguredPlugin = Config["plugins"][string];

/** The keys of an entry that say what it runs. */
type ProgramKeys = Pick<ConfiguredPlugin, "plugin" | "arguments" | "github" | "ref" | "bundle">;

/** What is run for an entry of the configuration. */
export type PluginProgram =
  | { readonly kind: "command"; readonly command: readonly string[] }
  /** It has to be built first. */
  | { readonly kind: "built"; readonly wanted: WantedBuild }
  /** The entry does not say. */
  | { readonly kind: "none" };

/** Plugins that come with the program, by the repository configuration files name them by. */
const bundledRepositories: Readonly<Record<string, string>> = {
  "opentalon/hello-world-plugin": "hello-world",
  "opentalon/hellow-world-plugin": "hello-world",
  "opentalon/mcp-plugin": "mcp",
};

/** `bundledPlugins` is the folder of the plugins that come with the program. */
export function findPluginProgram(
  key: string,
  { plugin, arguments: given, github, ref, bundle }: ProgramKeys,
  bundledPlugins: string,
): PluginProgram {
  if (plugin !== "") {
    const own = findBundled(plugin, bundledPlugins);
    if (own !== undefined) return { kind: "command", command: [own, ...given] };
    const isSources = given.length === 0 && isAbsolute(plugin) && isFolder(plugin);
    if (!isSources) return { kind: "command", command: [plugin, ...given] };
    const source = { kind: "folder", path: plugin } as const;
    return { kind: "built", wanted: { name: key, source, bundle: toBundle(bundle) } };
  }
  if (github === "") return { kind: "none" };
  const own = findBundled(github, bundledPlugins);
  if (own !== undefined) return { kind: "command", command: [own] };
  const source = toBuildSource(github, ref);
  return { kind: "built", wanted: { name: key, source, bundle: toBundle(bundle) } };
}

/** The program of a plugin that comes with OpenTalon, by its bare name or its repository. */
export function findBundled(name: string, bundledPlugins: string): string | undefined {
  const own = bundledRepositories[name] ?? name;
  if (!/^[a-z0-9][a-z0-9-]*$/.test(own)) return undefined;
  const path = join(bundledPlugins, own, `${own}-plugin`);
  return existsSync(path) ? path : undefined;
}

/** The name under which a plugin that comes with OpenTalon is configured. */
export function toBundledName(name: string, bundledPlugins: string): string | undefined {
  return findBundled(name, bundledPlugins) && (bundledRepositories[name] ?? name);
}

/** One line for each plugin to compile in, as the Go program writes them. */
function toBundle(bundle: ConfiguredPlugin["bundle"]): string {
  const lines = bundle.map(({ name, github, ref, store }) => {
    const repository = github.replace(/^https:\/\/github\.com\//, "").replace(/\.git$/, "");
    const words = [
      "plugin",
      JSON.stringify(name),
      JSON.stringify(ref),
      ...(store ? ["store"] : []),
    ];
    return `${words.join(" ")} from ${JSON.stringify(`github.com/${repository}`)}\n`;
  });
  return lines.join("");
}
