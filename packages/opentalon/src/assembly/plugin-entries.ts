import { join } from "node:path";
import type { Log } from "../base/log.ts";
import { createDefaultPlugin } from "../config/default-plugin.ts";
import { type Config, revealBlock } from "../config/load-config.ts";
import { toFolderName } from "../plugins/folder-name.ts";
import type { PluginEntry, ProcessLimits } from "../plugins/plugin-entry.ts";
import { isPluginName } from "../plugins/to-capabilities.ts";
import { discoverPlugins } from "./discover-plugins.ts";
import { type ConfiguredPlugin, findPluginProgram, type PluginProgram } from "./plugin-program.ts";
import type { SourcePreparation } from "./prepare-sources.ts";

export interface PluginEntriesOptions {
  readonly config: Config;
  /** Folder of the plugins that come with the program. */
  readonly bundledPlugins: string;
  readonly prepare: SourcePreparation["prepare"];
  readonly log: Log;
}

/**
 * The enabled plugins as the plugin host takes them: those of the configuration, then those of `plugins.tools.plugin_dir`
 * that have no entry. One that cannot be started here is left out and named.
 */
export function toPluginEntries({
  config,
  bundledPlugins,
  prepare,
  log,
}: PluginEntriesOptions): readonly PluginEntry[] {
  const discovered = discoverPlugins(config.pluginSettings.tools.pluginDir, log);
  const configured = Object.entries(config.plugins).flatMap(([key, plugin]) => {
    if (!plugin.enabled) return [];
    const program = findPluginProgram(key, plugin, bundledPlugins);
    if (program.kind !== "none")
      return [toEntry(key, plugin, toRunnable(program, prepare), config)];
    const file = discovered.get(key);
    if (file !== undefined) return [toEntry(key, plugin, { command: [file] }, config)];
    log.error({ plugin: key }, "this plugin is left out: its entry does not say what to run");
    return [];
  });
  const others = [...discovered]
    .filter(([key]) => config.plugins[key] === undefined)
    .map(([key, file]) => toEntry(key, createDefaultPlugin(), { command: [file] }, config));
  const supervision = toSupervision(config.pluginSettings.tools);
  return [...configured, ...others].map((entry) => ({
    ...entry,
    ...supervision,
    databaseFile: toDatabaseFile(config.state.dataDir, entry.key),
  }));
}

/** In a folder of its own, which a sandbox can show to this plugin and hide from the others. */
function toDatabaseFile(dataDir: string, key: string): string {
  const name = toFolderName(key);
  return join(dataDir, "plugin_data", name, `${name}.db`);
}

type Runnable = Pick<PluginEntry, "command" | "prepare">;

function toRunnable(
  program: Exclude<PluginProgram, { kind: "none" }>,
  prepare: SourcePreparation["prepare"],
): Runnable {
  if (program.kind === "command") return { command: program.command };
  const { wanted } = program;
  return { command: [], prepare: (signal) => prepare(wanted, signal) };
}

function toEntry(
  key: string,
  plugin: ConfiguredPlugin,
  runnable: Runnable,
  config: Config,
): PluginEntry {
  return {
    key,
    ...runnable,
    env: plugin.env,
    configJson: JSON.stringify(revealBlock(plugin.config)),
    dialTimeoutMs: plugin.dialTimeoutMs,
    token: plugin.token,
    tls: plugin.tls,
    servers: toServers(plugin.config),
    httpPort: plugin.httpPort === 0 ? undefined : plugin.httpPort,
    limits: toLimits(config, plugin.limits),
    sandbox: plugin.sandbox,
    sandboxNetwork: plugin.network,
  };
}

/** The bounds of a program: each of its own, or that of all. */
export function toLimits(
  { pluginSettings }: Config,
  own: ConfiguredPlugin["limits"] | undefined,
): ProcessLimits {
  const common = pluginSettings.tools.limits;
  return {
    memoryMb: own?.memoryMb ?? common.memoryMb,
    cpuSeconds: own?.cpuSeconds ?? common.cpuSeconds,
    processes: own?.processes ?? common.processes,
    openFiles: own?.openFiles ?? common.openFiles,
    diskMb: own?.diskMb ?? common.diskMb,
  };
}

function toSupervision({
  healthCheckIntervalMs,
  refreshIntervalMs,
  restartOnFailure,
  maxRestarts,
}: Config["pluginSettings"]["tools"]) {
  return { healthCheckIntervalMs, refreshIntervalMs, restartOnFailure, maxRestarts };
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
