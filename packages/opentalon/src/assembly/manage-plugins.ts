import { existsSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Clock } from "../base/clock.ts";
import { ConfigError, SourceError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Config, Environment } from "../config/load-config.ts";
import { toFolderName } from "../plugins/folder-name.ts";
import { findReadyProgram } from "../plugins/sources/find-ready-program.ts";
import { checkReference, parseSourceAddress } from "../plugins/sources/parse-source.ts";
import {
  createBuiltSources,
  type InstalledBuild,
  type InstallOptions,
} from "../plugins/sources/built-sources.ts";
import { findNameProblem } from "./find-name-problem.ts";
import { findPluginProgram, type PluginProgram, toBundledName } from "./plugin-program.ts";
import { isBareRepository, isFolder } from "./source-folders.ts";

/** What the entry of a plugin says about where it comes from. */
export type PluginOrigin =
  | { readonly plugin: string }
  | { readonly github: string; readonly ref?: string };

export interface AddedPlugin {
  readonly name: string;
  readonly origin: PluginOrigin;
}

export interface WrittenSource {
  /** `owner/name`, the address of a repository, a path, the name of a plugin that comes with OpenTalon, or `grpc://…`. */
  readonly source: string;
  /** Key of the entry; made out of the source when absent. */
  readonly name?: string | undefined;
  readonly reference?: string | undefined;
}

/** What the commands do with plugins, beside a running program. */
export interface PluginManager {
  /**
   * Understands what is to be added, without looking at the network.
   * @throws SourceError, ConfigError when there is such a plugin already.
   */
  readonly plan: (written: WrittenSource) => AddedPlugin;
  /**
   * Fetches, builds and pins a planned plugin; `undefined` when there is nothing to build.
   * @throws SourceError
   */
  readonly install: (
    added: AddedPlugin,
    options: InstallOptions,
  ) => Promise<InstalledBuild | undefined>;
  /** Names of the enabled plugins that are built from sources. */
  readonly builtPlugins: () => Promise<readonly string[]>;
  /**
   * Fetches and builds the newest of a configured plugin.
   * @throws SourceError, ConfigError
   */
  readonly update: (name: string, options: InstallOptions) => Promise<InstalledBuild>;
  /** Forgets what was built, with `data` what the plugin kept as well. Whether there was something. */
  readonly remove: (name: string, options: { readonly data: boolean }) => Promise<boolean>;
}

export interface PluginManagerOptions {
  readonly config: Config;
  readonly environment: Environment;
  readonly bundledPlugins: string;
  readonly workingDirectory: string;
  readonly homeDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
}

export function createPluginManager(options: PluginManagerOptions): PluginManager {
  const { config, environment, bundledPlugins, clock, log } = options;
  const { dataDir } = config.state;
  const sources = createBuiltSources({
    purpose: "plugin",
    dataDir,
    buildTimeoutMs: config.pluginSettings.tools.buildTimeoutMs,
    clock,
    host: environment,
    log,
  });

  const programOf = (name: string): PluginProgram => {
    const plugin = config.plugins[name];
    if (plugin === undefined)
      throw new ConfigError("CONFIG_INVALID", `there is no plugin "${name}" in the configuration`);
    return findPluginProgram(name, plugin, bundledPlugins);
  };

  return {
    plan: (written) => {
      const origin = toOrigin(written, options);
      const name = written.name ?? toName(origin);
      const problem = findNameProblem(name);
      if (problem !== undefined)
        throw new SourceError("SOURCE_INVALID", `${problem}; choose one with --name`);
      if (config.plugins[name] !== undefined) {
        throw new ConfigError(
          "CONFIG_INVALID",
          `there is a plugin "${name}" already; choose another name with --name, or fetch its newest version with \`opentalon plugin update ${name}\``,
        );
      }
      return { name, origin };
    },
    install: async ({ name, origin }, installOptions) => {
      const entry = { plugin: "", arguments: [], github: "", ref: "", bundle: [], ...origin };
      const program = findPluginProgram(name, entry, bundledPlugins);
      if (
        program.kind !== "built" ||
        (await findReadyProgram("plugin", program.wanted)) !== undefined
      )
        return undefined;
      return sources.install(program.wanted, installOptions);
    },
    builtPlugins: async () => {
      const names: string[] = [];
      for (const [name, { enabled }] of Object.entries(config.plugins)) {
        const program = programOf(name);
        if (!enabled || program.kind !== "built") continue;
        if ((await findReadyProgram("plugin", program.wanted)) === undefined) names.push(name);
      }
      return names;
    },
    update: async (name, installOptions) => {
      const program = programOf(name);
      if (program.kind !== "built") {
        throw new SourceError(
          "SOURCE_INVALID",
          `the plugin "${name}" is not built from sources, so there is nothing to update`,
        );
      }
      const ready = await findReadyProgram("plugin", program.wanted);
      if (ready !== undefined) {
        throw new SourceError(
          "SOURCE_INVALID",
          `the plugin "${name}" is run as it lies in ${ready.folder}, so there is nothing to update; build it there`,
        );
      }
      return sources.install(program.wanted, { ...installOptions, newest: true });
    },
    remove: async (name, { data }) => {
      const wasBuilt = await sources.remove(name);
      if (!data) return wasBuilt;
      const kept = [
        join(dataDir, "plugins", toFolderName(name)),
        join(dataDir, "plugin_data", toFolderName(name)),
        // Where older programs kept it, when it has not been moved yet.
        ...["", "-wal", "-shm"].map((end) =>
          join(dataDir, "plugin_data", `${toFolderName(name)}.db${end}`),
        ),
      ];
      const isThere = kept.some((path) => existsSync(path));
      for (const path of kept) await rm(path, { recursive: true, force: true });
      return wasBuilt || isThere;
    },
  };
}

function toOrigin(
  { source, reference = "" }: WrittenSource,
  { bundledPlugins, workingDirectory, homeDirectory }: PluginManagerOptions,
): PluginOrigin {
  const fail = (problem: string): SourceError => new SourceError("SOURCE_INVALID", problem);
  checkReference(reference);
  const withReference = reference === "" ? {} : { ref: reference };
  if (/^grpcs?:\/\//i.test(source)) return { plugin: source };
  const own = toBundledName(source, bundledPlugins);
  if (own !== undefined && reference === "") return { plugin: own };

  const isPath = /^(?:\/|\.{1,2}(?:\/|$)|~\/)/.test(source);
  if (!isPath) {
    parseSourceAddress(source);
    // Which one is meant must not depend on what somebody has registered elsewhere.
    if (!source.includes(":") && existsSync(resolve(workingDirectory, source))) {
      throw fail(
        `${source} is a path here and could be a repository on GitHub; write ./${source} or https://github.com/${source}`,
      );
    }
    return { github: source, ...withReference };
  }
  const path = source.startsWith("~/")
    ? join(homeDirectory, source.slice(2))
    : resolve(workingDirectory, source);
  if (isFolder(path)) {
    if (reference === "" && !isBareRepository(path)) return { plugin: path };
    return { github: path, ...withReference };
  }
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) throw fail(`there is no ${path}`);
  if (!info.isFile() || (info.mode & 0o111) === 0)
    throw fail(`${path} is not executable; set its permission with chmod +x`);
  if (reference !== "") throw fail("--ref is for repositories, and this is a program");
  return { plugin: path };
}

/** Of `opentalon/jira-plugin` it is `jira`. @throws SourceError */
function toName(origin: PluginOrigin): string {
  const address = "plugin" in origin ? origin.plugin : origin.github;
  const last = basename(address.replace(/\/+$/, "")).replace(/^.*:/, "");
  const name = last
    .replace(/\.[a-z0-9]{1,5}$/i, "")
    .replace(/^opentalon-(?=.)/, "")
    .replace(/(?<=.)-plugin$/, "")
    .replaceAll(/[^A-Za-z0-9_-]+/g, "-");
  if (/^grpcs?:/i.test(address) || findNameProblem(name) !== undefined)
    throw new SourceError("SOURCE_INVALID", `choose a name for ${address} with --name`);
  return name;
}
