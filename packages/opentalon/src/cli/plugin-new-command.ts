import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { toPrintableLine } from "../base/printable.ts";
import { reportError } from "./load.ts";
import { findCommandGroup } from "./find-command-group.ts";
import {
  pluginKinds,
  pluginLanguages,
  type PluginKind,
  type PluginLanguage,
  writePluginProject,
} from "./write-plugin-project.ts";

interface Options {
  readonly lang: PluginLanguage;
  readonly kind: PluginKind;
  readonly dir?: string;
}

/** Adds `opentalon plugin new`. */
export function addPluginNewCommand(program: Command): void {
  findCommandGroup(program, "plugin")
    .command("new")
    .description("write a new plugin, whose `make test` is green at once")
    .argument("<name>", "name of the plugin: small letters, digits and -")
    .addOption(
      new Option("--lang <language>", "language to write it in")
        .choices(pluginLanguages)
        .default("typescript"),
    )
    .addOption(
      new Option("--kind <kind>", "what it is to OpenTalon").choices(pluginKinds).default("tool"),
    )
    .option("--dir <folder>", "new or empty folder; one with the name of the plugin unless given")
    .action(async (name: string, { lang, kind, dir = name }: Options) => {
      process.exitCode = await writeProject(name, { lang, kind, dir });
    });
}

async function writeProject(name: string, { lang, kind, dir }: Required<Options>): Promise<number> {
  try {
    const folder = resolve(dir);
    const { source } = await writePluginProject({
      name,
      language: lang,
      kind,
      folder,
      checkout: findCheckout(),
    });
    const shown = toPrintableLine(dir);
    const lines = [
      [join(shown, source), "is where you work"],
      [`make -C ${shown} test`, "starts it and calls it"],
      [join(shown, "README.md"), "says the rest"],
    ] as const;
    const width = Math.max(...lines.map(([what]) => what.length));
    process.stdout.write(`Wrote the ${kind} ${name} to ${shown}.\n`);
    for (const [what, about] of lines) process.stdout.write(`  ${what.padEnd(width)}  ${about}\n`);
    return 0;
  } catch (error) {
    reportError(error);
    return 1;
  }
}

/** The templates lie beside the packages, whether the program runs from its sources or from its build. */
function findCheckout(): string {
  return import.meta.dirname.replace(/\/packages\/opentalon\/.*$/, "");
}
