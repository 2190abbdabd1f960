import { homedir } from "node:os";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { createLog } from "../base/create-log.ts";
import { toPrintableLine } from "../base/printable.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import { readEnvironment } from "../config/read-environment.ts";
import { loadPart, type PluginManager } from "../opentalon.ts";
import { editConfigFile, toEdited } from "./edit-config-file.ts";
import { findBundledPlugins } from "./find-bundled-plugins.ts";
import { findPluginCommand } from "./plugin-command.ts";
import { isHeld, restartIfRunning } from "./plugin-commands.ts";
import { load, reportError } from "./load.ts";

/** What a command has at hand. */
interface Place {
  readonly manager: PluginManager;
  readonly loaded: LoadedConfig;
  /** Aborts when somebody has had enough. */
  readonly signal: AbortSignal;
}

interface AddOptions {
  readonly name?: string;
  readonly ref?: string;
  readonly enable: boolean;
}

interface RemoveOptions {
  readonly keepConfig?: boolean;
  readonly data?: boolean;
}

/** Adds `opentalon plugin add`, `remove` and `update`. */
export function addPluginSourceCommands(program: Command): void {
  const plugin = findPluginCommand(program);
  const run = async (work: (place: Place) => Promise<number>): Promise<void> => {
    process.exitCode = await runWithManager(program.opts<{ config: string }>().config, work);
  };
  plugin
    .command("add")
    .description("fetch, build and pin a plugin, and add it to the configuration file")
    .argument("<source>", "owner/name on GitHub, a URL, a folder with sources, or a program")
    .option("--name <name>", "name of the plugin; made out of the source unless given")
    .option("--ref <ref>", "branch, tag or commit; the default branch unless given")
    .option("--no-enable", "leave it switched off")
    .action((source: string, options: AddOptions) => run((place) => add(place, source, options)));
  plugin
    .command("remove")
    .description("remove a plugin from the configuration file, and what was built of it")
    .argument("<name>", "name of the plugin")
    .option("--keep-config", "leave the configuration file as it is")
    .option("--data", "remove also what the plugin has kept")
    .action((name: string, options: RemoveOptions) => run((place) => remove(place, name, options)));
  plugin
    .command("update")
    .description("fetch and build the newest version of plugins; of all unless named")
    .argument("[name...]", "names of plugins")
    .action((names: readonly string[]) => run((place) => update(place, names)));
}

/** The exit code: 130 when it was interrupted, as a shell tells it. */
async function runWithManager(
  configPath: string,
  work: (place: Place) => Promise<number>,
): Promise<number> {
  const loaded = await load(configPath);
  if (loaded === undefined) return 1;
  const giveUp = new AbortController();
  const interrupt = (): void => giveUp.abort(new Error("interrupted"));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const { createPluginManager } = await loadPart.pluginManager();
    const manager = createPluginManager({
      config: loaded.config,
      environment: readEnvironment(),
      bundledPlugins: findBundledPlugins(),
      workingDirectory: process.cwd(),
      homeDirectory: readEnvironment()["HOME"] ?? homedir(),
      clock: systemClock,
      log: createLog({ level: "warn", pretty: true }),
    });
    return await work({ manager, loaded, signal: giveUp.signal });
  } catch (error) {
    if (!giveUp.signal.aborted) {
      reportError(error);
      return 1;
    }
    process.stderr.write("opentalon: interrupted; nothing was changed\n");
    return 130;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

async function add(
  { manager, loaded: { path }, signal }: Place,
  source: string,
  { name: wantedName, ref, enable }: AddOptions,
): Promise<number> {
  const added = manager.plan({ source, name: wantedName, reference: ref });
  const { name, origin } = added;
  const edit = { kind: "add", name, entry: { enabled: enable, ...origin } } as const;
  // A file that cannot be changed is told before anything is built.
  toEdited(path, edit);
  const installed = await manager.install(added, { signal, onLine: showLine });
  await editConfigFile(path, edit);
  const at = installed === undefined ? "" : ` at ${installed.commit.slice(0, 12)}`;
  say(`added ${name}${at} to ${path}`);
  say(
    enable
      ? "start opentalon again to have it run"
      : `set plugins.${name}.enabled to true to have it run`,
  );
  return 0;
}

async function remove(
  { manager, loaded: { path, config } }: Place,
  name: string,
  { keepConfig = false, data = false }: RemoveOptions,
): Promise<number> {
  // It would go on writing there, and could have links followed while its folders are removed.
  if (data && (await isHeld(config, name))) {
    const words = `opentalon: the plugin "${name}" is running; stop OpenTalon to remove what it has kept, or leave out --data`;
    process.stderr.write(`${toPrintableLine(words)}\n`);
    return 1;
  }
  const isConfigured = config.plugins[name] !== undefined;
  if (isConfigured && !keepConfig) await editConfigFile(path, { kind: "remove", name });
  const wasThere = await manager.remove(name, { data });
  if (!isConfigured && !wasThere) {
    process.stderr.write(`${toPrintableLine(`opentalon: there is no plugin "${name}"`)}\n`);
    return 1;
  }
  const kept = data ? " and what it has kept" : "";
  say(`removed ${name}${kept}; an opentalon that is running uses it until it ends`);
  return 0;
}

async function update(
  { manager, loaded: { config }, signal }: Place,
  names: readonly string[],
): Promise<number> {
  const wanted = names.length === 0 ? await manager.builtPlugins() : names;
  if (wanted.length === 0) say("no plugin is built from sources");
  let failed = 0;
  for (const name of wanted) {
    try {
      const { commit, before } = await manager.update(name, { signal, onLine: showLine });
      const now = commit.slice(0, 12);
      if (commit === before) {
        say(`${name}: ${now} is the newest`);
        continue;
      }
      say(before === "" ? `${name}: ${now}` : `${name}: ${before.slice(0, 12)} → ${now}`);
      failed += await restartIfRunning(config, name);
    } catch (error) {
      if (signal.aborted) throw error;
      failed += 1;
      reportError(error);
      process.stderr.write(`${toPrintableLine(`${name} stays as it was`)}\n`);
    }
  }
  return failed === 0 ? 0 : 1;
}

/** What git and builders do and say, for whoever waits. */
function showLine(line: string): void {
  process.stderr.write(`${toPrintableLine(line)}\n`);
}

function say(line: string): void {
  process.stdout.write(`${toPrintableLine(line)}\n`);
}
