import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type {
  CheckOptions,
  CheckReport,
  PlannedCall,
  PluginKind,
  RuleResult,
} from "@opentalon/plugin-sdk/testing";
import { toMessage } from "../base/errors.ts";
import { toPrintableLine } from "../base/printable.ts";
import { readPlainYaml } from "../config/read-plain-yaml.ts";
import { findCommandGroup } from "./find-command-group.ts";
import { renderTable } from "./render-table.ts";
import { toJson } from "./routing-commands.ts";

interface Options {
  readonly kind?: PluginKind;
  readonly call: readonly PlannedCall[];
  readonly env: readonly string[];
  readonly json?: boolean;
}

/** Adds `opentalon plugin test`. */
export function addPluginTestCommand(program: Command): void {
  findCommandGroup(program, "plugin")
    .command("test")
    .description(
      "check a plugin against the rules of its protocol; exit code 1 when one that must hold is broken",
    )
    .argument("<path>", "program of the plugin")
    .argument("[args...]", "its arguments; those that begin with a dash come after --")
    .addOption(
      new Option("--kind <kind>", "what it is; found out unless given").choices([
        "tool",
        "channel",
        "provider",
      ]),
    )
    .option("--config <config>", "configuration of the plugin: a YAML or JSON file, or JSON")
    .option(
      "--call <call>",
      "call this action, too, as in roll='{\"sides\":6}'; may be repeated",
      toCall,
      [],
    )
    .option(
      "--env <variable>",
      "variable the plugin gets, NAME or NAME=value; may be repeated",
      add,
      [],
    )
    .option("--json", "print JSON")
    .action(async (path: string, rest: readonly string[], options: Options) => {
      // The program has an option of this name, which takes the value wherever it stands.
      const isGiven = program.getOptionValueSource("config") !== "default";
      const config = isGiven ? program.opts<{ config: string }>().config : undefined;
      process.exitCode = await testPlugin([path, ...rest], config, options);
    });
}

async function testPlugin(
  command: readonly string[],
  config: string | undefined,
  options: Options,
): Promise<number> {
  const { stdout, stderr } = process;
  // What is tested runs in a group of its own, which the terminal does not interrupt: the kit ends it at our exit.
  const interrupt = (): never => process.exit(130);
  const [program = ""] = command;
  const problem = findProblem(program);
  if (problem !== undefined) {
    stderr.write(`opentalon: ${toPrintableLine(problem)}\n`);
    return 1;
  }
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const { checkPlugin } = await import("@opentalon/plugin-sdk/testing");
    const isShown = options.json !== true && stderr.isTTY;
    const report = await checkPlugin(command, {
      ...(await toCheckOptions(config, options)),
      onResult: ({ rule }) => {
        if (isShown) stderr.write(`\r\u001b[K${rule}`);
      },
    });
    if (isShown) stderr.write("\r\u001b[K");
    stdout.write(options.json === true ? toJson(toJsonReport(report)) : toText(report));
    return report.isUsable ? 0 : 1;
  } catch (error) {
    stderr.write(`opentalon: ${toPrintableLine(toMessage(error))}\n`);
    return 1;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** Why a program given by its path cannot be run. Without a slash it is looked up on the search path. */
function findProblem(program: string): string | undefined {
  const info = statSync(program, { throwIfNoEntry: false });
  if (info?.isDirectory() === true)
    return `${program} is a folder; name the program in it, such as ${join(program, "my-plugin")}`;
  if (info === undefined && program.includes("/"))
    return `there is no program ${program}; build it first`;
  return undefined;
}

async function toCheckOptions(
  config: string | undefined,
  { kind, call, env }: Options,
): Promise<CheckOptions> {
  const entries = env.map((variable): [string, string] => {
    const [name = "", ...value] = variable.split("=");
    return [name, value.length > 0 ? value.join("=") : (process.env[name] ?? "")];
  });
  return {
    kind,
    calls: call,
    env: Object.fromEntries(entries),
    ...(config === undefined ? {} : { config: await readConfig(config) }),
  };
}

async function readConfig(given: string): Promise<Readonly<Record<string, unknown>>> {
  const isInline = given.trimStart().startsWith("{");
  let config: unknown;
  try {
    config = readPlainYaml(isInline ? given : await readFile(given, "utf8"));
  } catch (error) {
    throw new Error(`--config cannot be read: ${toMessage(error)}`, { cause: error });
  }
  if (isObject(config)) return config;
  throw new Error("--config needs an object: what stands under `config` of the plugin's entry");
}

function toCall(text: string, earlier: readonly PlannedCall[]): readonly PlannedCall[] {
  const [, action = "", json = ""] = /^([^=]+)(?:=(.*))?$/s.exec(text) ?? [];
  let args: unknown;
  try {
    args = JSON.parse(json === "" ? "{}" : json);
  } catch {
    args = undefined;
  }
  if (action === "" || !isObject(args))
    throw new InvalidArgumentError("It is the name of an action, = and a JSON object.");
  return [...earlier, { action, args }];
}

function add(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const outcomes = { kept: "kept", broken: "BROKEN", "not-applicable": "-" } as const;

function toText({ kind, wire, results, isUsable }: CheckReport): string {
  const columns = [{ title: "rule" }, { title: "level" }, { title: "outcome" }, { title: "seen" }];
  const rows = results.map(({ rule, level, outcome, why }) => [
    rule,
    level,
    outcomes[outcome],
    cut(why),
  ]);
  const broken = results.filter(({ outcome }) => outcome === "broken");
  const counts = `${results.length} rules, ${broken.length} broken`;
  const end = isUsable ? "OpenTalon can use it." : "OpenTalon cannot use it as it is.";
  const what = `${kind === "tool" ? "tool plugin" : kind} over ${wire === "json" ? "length-prefixed JSON" : wire === "grpc" ? "gRPC" : "nothing known"}`;
  return `${renderTable(columns, rows)}\n${broken.map(describe).join("")}${what}: ${counts}. ${end}\n`;
}

function describe({ level, title, why, remedy }: RuleResult): string {
  const lines = [`${level}: ${title}.`, `  Seen: ${why}`, `  Mend: ${remedy}.`];
  return `${lines.map((line) => line.split("\n").map(toPrintableLine).join("\n  ")).join("\n")}\n\n`;
}

function cut(text: string): string {
  const [line = ""] = text.split("\n");
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}

function toJsonReport({ kind, wire, results, isUsable }: CheckReport): unknown {
  return { kind, wire, usable: isUsable, rules: results };
}
