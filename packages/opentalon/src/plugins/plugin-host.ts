import { parseMessageLimit } from "@opentalon/protocol";
import type { Clock } from "../base/clock.ts";
import { PluginError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type {
  Execution,
  PluginCall,
  PluginStatus,
  RawToolResult,
  ReloadOutcome,
} from "../domain/plugin.ts";
import type { Tool } from "../domain/tool.ts";
import { toToolName } from "../domain/tool.ts";
import { builtInNames } from "./built-in-names.ts";
import type { Environment } from "./child-environment.ts";
import { defaultSearchPath } from "./child-environment.ts";
import { createGenerationMemory } from "./detect-generation.ts";
import { openPlugin } from "./open-plugin.ts";
import type { Fence } from "./fence/create-fence.ts";
import { createFence } from "./fence/create-fence.ts";
import { createOrphanGuard } from "./orphan-guard.ts";
import { observeCall } from "./observe-call.ts";
import { isRemoteCommand } from "./plugin-address.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import { createRecentLines, type RecentLines } from "./recent-lines.ts";
import { findRemoteRisk } from "./remote-access.ts";
import { toBridgeAction, toServerTool } from "./server-names.ts";
import type { SupervisedPlugin } from "./supervise.ts";
import { supervise } from "./supervise.ts";
import { createTemporaryFolders } from "./temporary-folder.ts";

export interface PluginHostOptions {
  readonly entries: readonly PluginEntry[];
  /** Keys of all plugins of the configuration, also of those that do not run: nobody else may report one as its name. */
  readonly configuredKeys: readonly string[];
  /** The environment of this program; children get only a few names of it. */
  readonly environment: Environment;
  readonly log: Log;
  readonly clock: Clock;
  /** Where working directories of plugins are kept; must belong to this process alone. */
  readonly stateDirectory?: string | undefined;
  /** See `PluginDatabaseDependencies`. */
  readonly migrationProgram?: readonly string[] | undefined;
  /** Bounds the programs; one of its own when absent. */
  readonly fence?: Fence | undefined;
  /** Called after a state or the list of tools has changed. Must not throw. */
  readonly onChange: () => void;
  /** Told of each call that is over. Must not throw. */
  readonly onCall?: ((call: PluginCall) => void) | undefined;
}

/** All configured plugins. Whatever one of them does is a state of that one, never an exception. */
export interface PluginHost {
  /** Starts all side by side; resolves when each is ready or has failed its first start. Never rejects. */
  readonly start: () => Promise<void>;
  /** One for each entry, in the order of the configuration. */
  readonly statuses: () => readonly PluginStatus[];
  /** Actions of all plugins that are ready or about to be again; no full name occurs twice. */
  readonly tools: () => readonly Tool[];
  /** What plugins add to the system prompt, by plugin. */
  readonly promptAdditions: () => readonly { readonly plugin: string; readonly text: string }[];
  /**
   * Key of the plugin that reported this name, as long as it holds it. Whatever is configured for a plugin counts for
   * its key, never for the name it gives itself.
   */
  readonly configKeyOf: (pluginName: string) => string | undefined;
  /** Whether calls of the plugin that reported this name may ask for other actions. */
  readonly takesCallbacks: (pluginName: string) => boolean;
  /**
   * Runs an action of the plugin that reported this name. A failed action is a result with `error`.
   * @throws PluginError: crashed, timed-out, protocol-violated, unavailable.
   */
  readonly execute: (pluginName: string, execution: Execution) => Promise<RawToolResult>;
  /**
   * Starts a plugin anew without losing a call, see `SupervisedPlugin.reload`; `undefined` when there is none with this
   * key. Never rejects.
   */
  readonly reload: (key: string) => Promise<ReloadOutcome | undefined>;
  /** The last lines a plugin wrote and the log has about it; `undefined` when there is none with this key. */
  readonly recentLines: (key: string) => RecentLines | undefined;
  /** `host:port` of a plugin's own web server; `undefined` when it serves none where its entry says. */
  readonly webAddressOf: (key: string) => string | undefined;
  /** Largest message a plugin is sent or may send, in bytes. */
  readonly maxMessageBytes: number;
  /** Stops all side by side. Afterwards no process, socket or folder of them is left. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export function createPluginHost(options: PluginHostOptions): PluginHost {
  const { entries, environment, log, clock, stateDirectory, migrationProgram } = options;
  const { onChange, onCall } = options;
  const limit = parseMessageLimit(environment["OPENTALON_GRPC_MAX_MSG_BYTES"]);
  if (limit.problem !== "") log.warn(limit.problem);
  const folders = createTemporaryFolders(stateDirectory);
  const guard = createOrphanGuard({ log, environment });
  const searchPath = environment["PATH"] ?? defaultSearchPath;
  const fence = options.fence ?? createFence({ searchPath, stateDirectory, clock, log });
  const generations = createGenerationMemory();
  const owners = new Map<string, SupervisedPlugin>();
  const keys = new Set([...options.configuredKeys, ...entries.map(({ key }) => key)]);

  /** Who else is configured to stand for a server of this name. */
  const findBridge = (claimant: SupervisedPlugin, name: string): PluginEntry | undefined =>
    entries.find(({ key, servers }) => key !== claimant.key && servers?.includes(name) === true);

  /** While plugins start, the one that comes first in the configuration gets a name; later on, the one that has it. */
  let starting = true;
  const claimName = (claimant: SupervisedPlugin, name: string): string => {
    if (name !== claimant.key && builtInNames.has(name)) {
      return `the plugin "${claimant.key}" reports the name "${name}", which belongs to OpenTalon itself; its author has to choose another one`;
    }
    if (name !== claimant.key && keys.has(name)) {
      return `the plugin "${claimant.key}" reports the name "${name}", which is the key of another plugin; rename one of them`;
    }
    const bridge = name === claimant.key ? undefined : findBridge(claimant, name);
    if (bridge !== undefined) {
      return `the plugin "${claimant.key}" reports the name "${name}", which is a server of the plugin "${bridge.key}"; rename one of them`;
    }
    const owner = owners.get(name);
    if (owner !== undefined && owner !== claimant) {
      const explain = (loser: SupervisedPlugin, winner: SupervisedPlugin): string =>
        `the plugin "${loser.key}" reports the name "${name}", which the plugin "${winner.key}" has already; remove one of them`;
      if (!starting || plugins.indexOf(owner) < plugins.indexOf(claimant))
        return explain(claimant, owner);
      owner.fail(explain(owner, claimant));
    }
    for (const [old, plugin] of owners) if (plugin === claimant) owners.delete(old);
    owners.set(name, claimant);
    claimServers(claimant);
    return "";
  };

  /** Names of the servers a bridge stands for that nobody else has; the tools of the others stay under the bridge's own name. */
  const serversOf = new Map<string, ReadonlySet<string>>();
  const claimServers = (claimant: SupervisedPlugin): void => {
    const wanted = entries.find(({ key }) => key === claimant.key)?.servers ?? [];
    const free = wanted.filter((server) => {
      const owner = owners.get(server);
      const isFree =
        (owner === undefined || owner === claimant) &&
        (server === claimant.key || !keys.has(server)) &&
        !builtInNames.has(server);
      if (isFree) owners.set(server, claimant);
      else
        log.warn(
          { plugin: claimant.key, server },
          "A server has the name of another plugin; its tools are called by the name of its bridge",
        );
      return isFree;
    });
    serversOf.set(claimant.key, new Set(free));
  };

  const recentLines = new Map<string, RecentLines>();
  const plugins: readonly SupervisedPlugin[] = entries.map((entry) => {
    const recent = createRecentLines(clock);
    recentLines.set(entry.key, recent);
    const pluginLog = recent.record(log.child({ plugin: entry.key }));
    const risk = findRemoteRisk(entry);
    if (risk !== "") pluginLog.warn({ problem: risk }, "A plugin is not reached as it should be");
    const dependencies = {
      environment,
      folders,
      stateDirectory,
      guard,
      fence,
      generations,
      migrationProgram,
      clock,
      log: pluginLog,
      maxMessageBytes: limit.bytes,
    };
    const plugin: SupervisedPlugin = supervise({
      entry,
      isRemote: isRemoteCommand(entry.command),
      open: (prepared, signal) => openPlugin(prepared, dependencies, signal),
      claimName: (name) => claimName(plugin, name),
      clock,
      log: pluginLog,
      onChange,
    });
    return plugin;
  });

  const startUnlessBuiltIn = async (plugin: SupervisedPlugin): Promise<void> => {
    if (!builtInNames.has(plugin.key)) return plugin.start();
    plugin.fail(
      `"${plugin.key}" is a name of OpenTalon itself; give the plugin another key below plugins:`,
    );
  };

  return {
    start: async () => {
      await folders.removeLeftOvers();
      await Promise.all(plugins.map(startUnlessBuiltIn));
      starting = false;
    },
    statuses: () => plugins.map((plugin) => plugin.status()),
    tools: () => {
      const tools = new Map<string, Tool>();
      const all = plugins.flatMap((plugin) => {
        const servers = serversOf.get(plugin.key) ?? new Set();
        return plugin.capabilities()?.tools.map((tool) => toServerTool(tool, servers)) ?? [];
      });
      for (const tool of all) {
        // `a` with `b__c` and `a__b` with `c` have the same full name; the first one keeps it.
        if (!tools.has(toToolName(tool))) tools.set(toToolName(tool), tool);
      }
      return [...tools.values()];
    },
    promptAdditions: () =>
      plugins.flatMap((plugin) => {
        const capabilities = plugin.capabilities();
        if (capabilities === undefined || capabilities.systemPromptAddition === "") return [];
        return [{ plugin: capabilities.name, text: capabilities.systemPromptAddition }];
      }),
    configKeyOf: (pluginName) => owners.get(pluginName)?.key,
    takesCallbacks: (pluginName) =>
      owners.get(pluginName)?.capabilities()?.supportsCallbacks === true,
    maxMessageBytes: limit.bytes,
    execute: async (pluginName, asked) => {
      const plugin = owners.get(pluginName);
      if (plugin === undefined)
        throw new PluginError(pluginName, "unavailable", `there is no plugin "${pluginName}"`);
      const isServer = serversOf.get(plugin.key)?.has(pluginName) === true;
      const execution = isServer
        ? { ...asked, server: pluginName, action: toBridgeAction(pluginName, asked.action) }
        : asked;
      return onCall === undefined
        ? plugin.execute(execution)
        : observeCall(plugin.key, execution, plugin.execute, { clock, onCall });
    },
    reload: async (key) => plugins.find((plugin) => plugin.key === key)?.reload(),
    recentLines: (key) => recentLines.get(key),
    webAddressOf: (key) => plugins.find((plugin) => plugin.key === key)?.webAddress(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(plugins.map((plugin) => plugin[Symbol.asyncDispose]()));
      await guard[Symbol.asyncDispose]();
    },
  };
}
