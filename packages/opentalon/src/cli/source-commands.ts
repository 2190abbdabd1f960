import { homedir } from "node:os";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { createLog } from "../base/create-log.ts";
import { toPrintableLine } from "../base/printable.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import { readEnvironment } from "../config/read-environment.ts";
import { loadPart, type SourceManager } from "../opentalon.ts";
import { editConfigFile, toEdited } from "./edit-config-file.ts";
import { findBundledChannels, findBundledPlugins } from "./find-bundled-plugins.ts";
import { findCommandGroup } from "./find-command-group.ts";
import { isHeld, restartIfRunning } from "./plugin-commands.ts";
import { load, reportError } from "./load.ts";

/** What the commands look after. */
type Purpose = "plugin" | "channel";

/** What a command has at hand. */
interface Place {
  readonly manager: SourceManager;
  readonly purpose: Purpose;
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

/** Adds `opentalon plugin add`, `remove` and `update`, or those of `opentalon channel`. */
export function addSourceCommands(program: Command, purpose: Purpose): void {
  const group = findCommandGroup(program, purpose);
  const run = async (work: (place: Place) => Promise<number>): Promise<void> => {
    process.exitCode = await runWithManager(
      purpose,
      program.opts<{ config: string }>().config,
      work,
    );
  };
  group
    .command("add")
    .description(`fetch, build and pin a ${purpose}, and add it to the configuration file`)
    .argument("<source>", sourceWords[purpose])
    .option("--name <name>", `name of the ${purpose}; made out of the source unless given`)
    .option("--ref <ref>", "branch, tag or commit; the default branch unless given")
    .option("--no-enable", "leave it switched off")
    .action((source: string, options: AddOptions) => run((place) => add(place, source, options)));
  const removal = group
    .command("remove")
    .description(`remove a ${purpose} from the configuration file, and what was built of it`)
    .argument("<name>", `name of the ${purpose}`)
    .option("--keep-config", "leave the configuration file as it is")
    .action((name: string, options: RemoveOptions) => run((place) => remove(place, name, options)));
  // What channels have kept lies in the database, beside the conversations.
  if (purpose === "plugin") removal.option("--data", "remove also what the plugin has kept");
  group
    .command("update")
    .description(`fetch and build the newest version of ${purpose}s; of all unless named`)
    .argument("[name...]", `names of ${purpose}s`)
    .action((names: readonly string[]) => run((place) => update(place, names)));
}

const sourceWords = {
  plugin: "owner/name on GitHub, a URL, a folder with sources, or a program",
  channel: "owner/name on GitHub, a URL, a folder with sources, a program, or a definition",
} as const;

/** The exit code: 130 when it was interrupted, as a shell tells it. */
async function runWithManager(
  purpose: Purpose,
  configPath: string,
  work: (place: Place) => Promise<number>,
): Promise<number> {
  const loaded = await load(configPath, { needs: "state" });
  if (loaded === undefined) return 1;
  const giveUp = new AbortController();
  const interrupt = (): void => giveUp.abort(new Error("interrupted"));
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const { createSourceManager } = await loadPart.sourceManager();
    const manager = createSourceManager({
      purpose,
      config: loaded.config,
      environment: readEnvironment(),
      bundledPlugins: findBundledPlugins(),
      bundledChannels: findBundledChannels(),
      workingDirectory: process.cwd(),
      homeDirectory: readEnvironment()["HOME"] ?? homedir(),
      clock: systemClock,
      log: createLog({ level: "warn", pretty: true }),
    });
    return await work({ manager, purpose, loaded, signal: giveUp.signal });
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
  { manager, purpose, loaded: { path }, signal }: Place,
  source: string,
  { name: wantedName, ref, enable }: AddOptions,
): Promise<number> {
  const added = manager.plan({ source, name: wantedName, reference: ref });
  const { name, origin } = added;
  const section = `${purpose}s` as const;
  const edit = { kind: "add", section, name, entry: { enabled: enable, ...origin } } as const;
  // A file that cannot be changed is told before anything is built.
  toEdited(path, edit);
  const installed = await manager.install(added, { signal, onLine: showLine });
  await editConfigFile(path, edit);
  const at = installed === undefined ? "" : ` at ${installed.commit.slice(0, 12)}`;
  say(`added ${name}${at} to ${path}`);
  say(
    enable
      ? "start opentalon again to have it run"
      : `set ${section}.${name}.enabled to true to have it run`,
  );
  return 0;
}

async function remove(
  { manager, purpose, loaded: { path, config } }: Place,
  name: string,
  { keepConfig = false, data = false }: RemoveOptions,
): Promise<number> {
  // It would go on writing there, and could have links followed while its folders are removed.
  if (data && (await isHeld(config, name))) {
    const words = `opentalon: the plugin "${name}" is running; stop OpenTalon to remove what it has kept, or leave out --data`;
    process.stderr.write(`${toPrintableLine(words)}\n`);
    return 1;
  }
  const section = `${purpose}s` as const;
  const isConfigured = config[section][name] !== undefined;
  if (isConfigured && !keepConfig) await editConfigFile(path, { kind: "remove", section, name });
  const wasThere = await manager.remove(name, { data });
  if (!isConfigured && !wasThere) {
    process.stderr.write(`${toPrintableLine(`opentalon: there is no ${purpose} "${name}"`)}\n`);
    return 1;
  }
  const kept = data ? " and what it has kept" : "";
  say(`removed ${name}${kept}; an opentalon that is running uses it until it ends`);
  return 0;
}

async function update(
  { manager, purpose, loaded: { config }, signal }: Place,
  names: readonly string[],
): Promise<number> {
  const wanted = names.length === 0 ? await manager.builtEntries() : names;
  if (wanted.length === 0) say(`no ${purpose} is built from sources`);
  let failed = 0;
  let isChanged = false;
  for (const name of wanted) {
    try {
      const { commit, before } = await manager.update(name, { signal, onLine: showLine });
      const now = commit.slice(0, 12);
      if (commit === before) {
        say(`${name}: ${now} is the newest`);
        continue;
      }
      say(before === "" ? `${name}: ${now}` : `${name}: ${before.slice(0, 12)} → ${now}`);
      if (purpose === "plugin") failed += await restartIfRunning(config, name);
      else isChanged = true;
    } catch (error) {
      if (signal.aborted) throw error;
      failed += 1;
      reportError(error);
      process.stderr.write(`${toPrintableLine(`${name} stays as it was`)}\n`);
    }
  }
  if (isChanged)
    say("an opentalon that is running goes on as it is; start it again to have it use this");
  return failed === 0 ? 0 : 1;
}

/** What git and builders do and say, for whoever waits. */
function showLine(line: string): void {
  process.stderr.write(`${toPrintableLine(line)}\n`);
}

function say(line: string): void {
  process.stdout.write(`${toPrintableLine(line)}\n`);
}
