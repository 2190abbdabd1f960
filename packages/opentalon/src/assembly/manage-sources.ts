import { existsSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { Clock } from "../base/clock.ts";
import { ConfigError, SourceError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Config, Environment } from "../config/load-config.ts";
import type { BuildPurpose } from "../plugins/building/builder.ts";
import { toFolderName } from "../plugins/folder-name.ts";
import { findReadyProgram } from "../plugins/sources/find-ready-program.ts";
import { checkReference, parseSourceAddress } from "../plugins/sources/parse-source.ts";
import {
  createBuiltSources,
  type InstalledBuild,
  type InstallOptions,
  type WantedBuild,
} from "../plugins/sources/built-sources.ts";
import { findNameProblem } from "./find-name-problem.ts";
import { findChannelProgram, toBundledChannelName } from "./channel-program.ts";
import { findPluginProgram, toBundledName } from "./plugin-program.ts";
import { isBareRepository, isFolder } from "./source-folders.ts";

/** What the entry of a plugin or channel says about where it comes from. */
export type EntryOrigin =
  | { readonly plugin: string }
  | { readonly github: string; readonly ref?: string };

export interface AddedEntry {
  readonly name: string;
  readonly origin: EntryOrigin;
}

export interface WrittenSource {
  /** `owner/name`, the address of a repository, a path, the name of one that comes with OpenTalon, or `grpc://…`. */
  readonly source: string;
  /** Key of the entry; made out of the source when absent. */
  readonly name?: string | undefined;
  readonly reference?: string | undefined;
}

/** What the commands do with plugins, or with channels, beside a running program. */
export interface SourceManager {
  /**
   * Understands what is to be added, without looking at the network.
   * @throws SourceError, ConfigError when there is such an entry already.
   */
  readonly plan: (written: WrittenSource) => AddedEntry;
  /**
   * Fetches, builds and pins what was planned; `undefined` when there is nothing to build.
   * @throws SourceError
   */
  readonly install: (
    added: AddedEntry,
    options: InstallOptions,
  ) => Promise<InstalledBuild | undefined>;
  /** Names of those that are enabled and built from sources. */
  readonly builtEntries: () => Promise<readonly string[]>;
  /**
   * Fetches and builds the newest of a configured one.
   * @throws SourceError, ConfigError
   */
  readonly update: (name: string, options: InstallOptions) => Promise<InstalledBuild>;
  /** Forgets what was built, with `data` what a plugin kept as well. Whether there was something. */
  readonly remove: (name: string, options: { readonly data: boolean }) => Promise<boolean>;
}

export interface SourceManagerOptions {
  readonly purpose: BuildPurpose;
  readonly config: Config;
  readonly environment: Environment;
  readonly bundledPlugins: string;
  readonly bundledChannels: string;
  readonly workingDirectory: string;
  readonly homeDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
}

export function createSourceManager(options: SourceManagerOptions): SourceManager {
  const { purpose, config, environment, clock, log } = options;
  const entries: Readonly<Record<string, WrittenEntry>> =
    purpose === "plugin" ? config.plugins : config.channels;
  const { dataDir } = config.state;
  const sources = createBuiltSources({
    purpose,
    dataDir,
    buildTimeoutMs: config.pluginSettings.tools.buildTimeoutMs,
    clock,
    host: environment,
    log,
  });

  const wantedOf = (name: string): WantedBuild | undefined => {
    if (entries[name] !== undefined) return findWanted(name, entries[name], options);
    throw new ConfigError(
      "CONFIG_INVALID",
      `there is no ${purpose} "${name}" in the configuration`,
    );
  };

  return {
    plan: (written) => {
      const origin = toOrigin(written, options);
      const name = written.name ?? toName(origin, purpose);
      const problem = findNameProblem(name, purpose);
      if (problem !== undefined)
        throw new SourceError("SOURCE_INVALID", `${problem}; choose one with --name`);
      if (entries[name] !== undefined) {
        throw new ConfigError(
          "CONFIG_INVALID",
          `there is a ${purpose} "${name}" already; choose another name with --name, or fetch its newest version with \`opentalon ${purpose} update ${name}\``,
        );
      }
      return { name, origin };
    },
    install: async ({ name, origin }, installOptions) => {
      const wanted = findWanted(name, origin, options);
      if (wanted === undefined || (await findReadyProgram(purpose, wanted)) !== undefined)
        return undefined;
      return sources.install(wanted, installOptions);
    },
    builtEntries: async () => {
      const names: string[] = [];
      for (const [name, entry] of Object.entries(entries)) {
        const wanted = entry.enabled ? findWanted(name, entry, options) : undefined;
        if (wanted !== undefined && (await findReadyProgram(purpose, wanted)) === undefined)
          names.push(name);
      }
      return names;
    },
    update: async (name, installOptions) => {
      const wanted = wantedOf(name);
      if (wanted === undefined) {
        throw new SourceError(
          "SOURCE_INVALID",
          `the ${purpose} "${name}" is not built from sources, so there is nothing to update`,
        );
      }
      const ready = await findReadyProgram(purpose, wanted);
      if (ready !== undefined) {
        throw new SourceError(
          "SOURCE_INVALID",
          `the ${purpose} "${name}" is used as it lies in ${ready.folder}, so there is nothing to update; build it there`,
        );
      }
      return sources.install(wanted, { ...installOptions, newest: true });
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

/** Addresses of what runs elsewhere. A channel at `https://` has to be written by hand: so is a repository. */
const elsewhere = {
  plugin: /^grpcs?:\/\//i,
  channel: /^(?:grpcs?|docker|wss?):\/\//i,
} as const;

/** What counts of an entry below `plugins:` or `channels:`; only plugins have all of it. */
type WrittenEntry = Pick<Config["channels"][string], "enabled" | "plugin" | "github" | "ref"> &
  Partial<Pick<Config["plugins"][string], "arguments" | "bundle">>;

/** What has to be built for an entry; `undefined` when nothing has to be. */
function findWanted(
  name: string,
  entry: Partial<WrittenEntry>,
  { purpose, bundledPlugins, bundledChannels }: SourceManagerOptions,
): WantedBuild | undefined {
  const { plugin = "", arguments: given = [], github = "", ref = "", bundle = [] } = entry;
  const program =
    purpose === "plugin"
      ? findPluginProgram(name, { plugin, arguments: given, github, ref, bundle }, bundledPlugins)
      : findChannelProgram(name, { plugin, github, ref }, bundledChannels);
  return program.kind === "built" ? program.wanted : undefined;
}

function toOrigin(
  { source, reference = "" }: WrittenSource,
  options: SourceManagerOptions,
): EntryOrigin {
  const fail = (problem: string): SourceError => new SourceError("SOURCE_INVALID", problem);
  checkReference(reference);
  const withReference = reference === "" ? {} : { ref: reference };
  const { purpose, bundledPlugins, bundledChannels, workingDirectory, homeDirectory } = options;
  if (elsewhere[purpose].test(source)) return { plugin: source };
  const own =
    purpose === "plugin"
      ? toBundledName(source, bundledPlugins)
      : toBundledChannelName(source, bundledChannels);
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
  const isDefinition = purpose === "channel" && /\.ya?ml$/i.test(path);
  if (!info.isFile() || (!isDefinition && (info.mode & 0o111) === 0))
    throw fail(`${path} is not executable; set its permission with chmod +x`);
  if (reference !== "") throw fail("--ref is for repositories, and this is a file");
  return { plugin: path };
}

/** Of `opentalon/jira-plugin` it is `jira`. @throws SourceError */
function toName(origin: EntryOrigin, purpose: BuildPurpose): string {
  const address = "plugin" in origin ? origin.plugin : origin.github;
  const last = basename(address.replace(/\/+$/, "")).replace(/^.*:/, "");
  const name = last
    .replace(/\.[a-z0-9]{1,5}$/i, "")
    .replace(/^opentalon-(?=.)/, "")
    .replace(new RegExp(`(?<=.)-${purpose}$`), "")
    .replaceAll(/[^A-Za-z0-9_-]+/g, "-");
  if (elsewhere[purpose].test(address) || findNameProblem(name, purpose) !== undefined)
    throw new SourceError("SOURCE_INVALID", `choose a name for ${address} with --name`);
  return name;
}
