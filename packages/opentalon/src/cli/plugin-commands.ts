import { InvalidArgumentError, type Command } from "commander";
import { formatDuration } from "../base/duration.ts";
import { systemClock } from "../base/clock.ts";
import { toPrintableLine } from "../base/printable.ts";
import type { Config } from "../config/load-config.ts";
import { ask, explain, readJson, withConfig } from "./ask-program.ts";
import { findCommandGroup } from "./find-command-group.ts";
import { formatCount, renderTable } from "./render-table.ts";
import { toJson } from "./routing-commands.ts";

/** Adds `opentalon plugin list`, `logs` and `restart`. */
export function addPluginCommands(program: Command): void {
  const plugin = findCommandGroup(program, "plugin");
  const configPath = (): string => program.opts<{ config: string }>().config;
  plugin
    .command("list")
    .description("list the plugins of the configuration, and how they are in the running program")
    .option("--json", "print JSON")
    .action(async ({ json }: { json?: boolean }) => {
      process.exitCode = await withConfig(configPath(), (config) => list(config, json === true));
    });
  plugin
    .command("logs")
    .description("print the last lines a plugin of the running program wrote")
    .argument("<name>", "name of the plugin in the configuration")
    .option("-n, --lines <count>", "how many lines, 500 at most", toCount, 50)
    .option("-f, --follow", "go on with each new line until it is interrupted")
    .action(async (name: string, options: { lines: number; follow?: boolean }) => {
      process.exitCode = await withConfig(configPath(), (config) => logs(config, name, options));
    });
  plugin
    .command("restart")
    .description("start a plugin of the running program anew; calls under way are finished first")
    .argument("<name>", "name of the plugin in the configuration")
    .action(async (name: string) => {
      process.exitCode = await withConfig(configPath(), (config) => restart(config, name));
    });
}

function toCount(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It is a number of lines.");
}

/** A plugin as the running program tells of it. */
interface PluginView {
  readonly key: string;
  readonly name: string;
  readonly state: string;
  readonly problem: string;
  readonly restarts: number;
  readonly since: string;
  readonly pid: number | null;
  readonly actions: number;
  readonly version: string | null;
}

async function list({ plugins, state }: Config, isJson: boolean): Promise<number> {
  const reply = await ask({ directory: state.dataDir, method: "GET", path: "/plugins" });
  const isRunning = reply.kind === "answered";
  const views = isRunning ? (await readJson<{ plugins: PluginView[] }>(reply.body)).plugins : [];
  const told = new Map(views.map((view) => [view.key, view]));
  const keys = [...new Set([...told.keys(), ...Object.keys(plugins)])];
  const rows = keys.map((key) => ({ key, enabled: plugins[key]?.enabled, view: told.get(key) }));
  if (isJson) {
    const listed = rows.map(({ key, enabled, view }) => view ?? { key, state: toRest(enabled) });
    process.stdout.write(toJson({ running: isRunning, plugins: listed }));
    return 0;
  }
  if (rows.length === 0) process.stdout.write("No plugin is configured.\n");
  else process.stdout.write(toTable(rows));
  for (const { key, problem } of views)
    if (problem !== "") process.stdout.write(`\n${toPrintableLine(`${key}: ${problem}`)}\n`);
  if (!isRunning) process.stdout.write(`\nOpenTalon does not run over ${state.dataDir}.\n`);
  return 0;
}

const toRest = (enabled: boolean | undefined): string =>
  enabled === false ? "disabled" : "not running";

function toTable(
  rows: readonly {
    readonly key: string;
    readonly enabled: boolean | undefined;
    readonly view: PluginView | undefined;
  }[],
): string {
  const cells = rows.map(({ key, enabled, view }) => {
    if (view === undefined) return [key, toRest(enabled)];
    const forMs = Math.max(0, systemClock.now() - Date.parse(view.since));
    const { state, actions, restarts, pid, name, version } = view;
    const counts = [formatCount(actions), formatCount(restarts), pid === null ? "-" : `${pid}`];
    const called = name === key ? "" : `called ${name}`;
    const words = [called, version ?? ""].filter((word) => word !== "").join(", ");
    return [key, state, formatDuration(forMs), ...counts, words];
  });
  return renderTable(
    [
      { title: "plugin" },
      { title: "state" },
      { title: "for" },
      { title: "actions", isNumber: true },
      { title: "restarts", isNumber: true },
      { title: "pid", isNumber: true },
      { title: "" },
    ],
    cells,
  );
}

async function logs(
  config: Config,
  name: string,
  { lines, follow }: { readonly lines: number; readonly follow?: boolean },
): Promise<number> {
  const query = `lines=${lines}${follow === true ? "&follow=1" : ""}`;
  const path = `/plugins/${encodeURIComponent(name)}/logs?${query}`;
  const reply = await ask({ directory: config.state.dataDir, method: "GET", path });
  if (reply.kind === "not-running") return explainNotRunning(config, name);
  if (reply.status !== 200) return explain(await readJson<{ error: string }>(reply.body));
  const end = (): void => void reply.body.destroy();
  process.once("SIGINT", end).once("SIGTERM", end);
  process.stdout.once("error", end);
  let rest = "";
  try {
    for await (const part of reply.body.setEncoding("utf8")) {
      const complete = (rest + String(part)).split("\n");
      rest = complete.pop() ?? "";
      for (const line of complete) process.stdout.write(toLogLine(line));
    }
  } catch {
    // The program has ended, or whoever read this has had enough.
  }
  return 0;
}

function toLogLine(json: string): string {
  const { at, from, text } = JSON.parse(json) as { at: string; from: string; text: string };
  return `${toPrintableLine(`${at}  ${from === "plugin" ? text : `[${from}] ${text}`}`)}\n`;
}

/** Has a running program use what a plugin is by now; nothing is said when none runs. The exit code. */
export async function restartIfRunning(config: Config, name: string): Promise<number> {
  return (await isHeld(config, name)) ? restart(config, name) : 0;
}

/** Whether a running program has this plugin. */
export async function isHeld({ state }: Config, name: string): Promise<boolean> {
  const reply = await ask({ directory: state.dataDir, method: "GET", path: "/plugins" });
  if (reply.kind === "not-running") return false;
  const { plugins } = await readJson<{ plugins: PluginView[] }>(reply.body);
  return plugins.some(({ key }) => key === name);
}

async function restart(config: Config, name: string): Promise<number> {
  const path = `/plugins/${encodeURIComponent(name)}/restart`;
  const reply = await ask({ directory: config.state.dataDir, method: "POST", path });
  if (reply.kind === "not-running") return explainNotRunning(config, name);
  if (reply.status === 200) {
    const { plugin } = await readJson<{ plugin: PluginView }>(reply.body);
    const process_ = plugin.pid === null ? "" : `, process ${plugin.pid}`;
    const actions = plugin.actions === 1 ? "1 action" : `${plugin.actions} actions`;
    process.stdout.write(toPrintableLine(`${plugin.key} was started anew: ${actions}${process_}`));
    process.stdout.write("\n");
    return 0;
  }
  const answer = await readJson<{ error: string; kept_running?: boolean }>(reply.body);
  const kept = answer.kept_running === true ? "; the process before goes on" : "";
  return explain({ error: `${answer.error}${kept}` });
}

function explainNotRunning({ plugins, state }: Config, name: string): number {
  const isKnown = plugins[name] !== undefined;
  const known = Object.keys(plugins).join(", ");
  const unknown = `, and it configures no plugin "${name}"${known === "" ? "" : `; there are ${known}`}`;
  return explain({
    error: `OpenTalon does not run over ${state.dataDir}${isKnown ? "; start it, and its plugins start with it" : unknown}`,
  });
}
