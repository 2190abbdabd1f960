import type { Log } from "../base/log.ts";
import { type Config, revealBlock } from "../config/load-config.ts";
import { isPluginName } from "../plugins/to-capabilities.ts";
import type { PluginEntry } from "../plugins/plugin-entry.ts";

type ConfiguredPlugin = Config["plugins"][string];

/** Plugins that come with the program, by the repository older configuration files name them by. */
const bundled: Readonly<Record<string, string>> = {
  "opentalon/hello-world-plugin": "hello-world/hello-world-plugin",
  "opentalon/hellow-world-plugin": "hello-world/hello-world-plugin",
};

export interface PluginEntriesOptions {
  readonly config: Config;
  /** Folder of the plugins that come with the program. */
  readonly bundledPlugins: string;
  readonly log: Log;
}

/** The enabled plugins as the plugin host takes them. One that cannot be started here is left out and named. */
export function toPluginEntries({
  config,
  bundledPlugins,
  log,
}: PluginEntriesOptions): readonly PluginEntry[] {
  return Object.entries(config.plugins).flatMap(([key, plugin]) => {
    if (!plugin.enabled) return [];
    const command = toCommand(plugin, bundledPlugins);
    if (command !== undefined) return [toEntry(key, plugin, command)];
    log.error(
      { plugin: key, github: plugin.github },
      "this plugin is left out: fetching plugins from repositories is not supported yet; build it and set `plugin:` to its path",
    );
    return [];
  });
}

function toCommand(
  { plugin, arguments: given, github }: ConfiguredPlugin,
  bundledPlugins: string,
): readonly string[] | undefined {
  if (plugin !== "") return [plugin, ...given];
  const own = bundled[github];
  return own === undefined ? undefined : [`${bundledPlugins}/${own}`];
}

function toEntry(key: string, plugin: ConfiguredPlugin, command: readonly string[]): PluginEntry {
  return {
    key,
    command,
    env: plugin.env,
    configJson: JSON.stringify(revealBlock(plugin.config)),
    dialTimeoutMs: plugin.dialTimeoutMs,
    servers: toServers(plugin.config),
    httpPort: plugin.httpPort === 0 ? undefined : plugin.httpPort,
  };
}

/** Names of the servers a bridge is configured for: `config.servers`, a list of objects with `server` or `name`. */
function toServers({ servers }: ConfiguredPlugin["config"]): readonly string[] {
  if (!Array.isArray(servers)) return [];
  return servers.flatMap((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return [];
    const { name, server = name } = entry as { server?: unknown; name?: unknown };
    return typeof server === "string" && isPluginName(server) ? [server] : [];
  });
}
