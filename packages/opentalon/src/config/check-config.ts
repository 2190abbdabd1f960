import { findCatalogProblems } from "./check-catalog.ts";
import { findOAuthProblems } from "./check-oauth.ts";
import type { Config } from "./config-schema.ts";
import { findNearestName } from "./nearest-name.ts";
import { type ConfigProblem, type ConfigWarning, type Findings, toKeyPath } from "./problems.ts";

/** What no single key can tell: keys that contradict each other. */
export function checkConfig(config: Config, lineOf: (key: string) => number): Findings {
  const problems: ConfigProblem[] = [];
  const warnings: ConfigWarning[] = [];
  checkRouting(config, lineOf, problems, warnings);
  const catalog = findCatalogProblems(config, lineOf);
  problems.push(...catalog.problems);
  warnings.push(...catalog.warnings);
  checkServer(config, lineOf, problems);
  checkPrograms(config, lineOf, warnings);
  checkOverrides(config, lineOf, warnings);
  checkProviderPrograms(config, lineOf, problems);
  checkDatabase(config, lineOf, problems);
  problems.push(...findOAuthProblems(config, lineOf));
  return { problems, warnings };
}

function checkRouting(
  { models: { providers }, routing: { primary, fallbacks, pin } }: Config,
  lineOf: (key: string) => number,
  problems: ConfigProblem[],
  warnings: ConfigWarning[],
): void {
  const names = Object.keys(providers);
  const configured = names.filter((name) => providers[name]?.unconfigured === undefined);
  // Without any provider the program answers with its demonstration model, whatever the routing says.
  if (configured.length === 0) return;

  const explain = (model: string, key: string): ConfigProblem | undefined => {
    const name = toProvider(model, names);
    if (name === undefined) return undefined;
    const line = lineOf(key);
    const variable = providers[name]?.unconfigured?.variable;
    if (variable !== undefined) {
      const message = `${key} names provider \`${name}\`, but its environment variable ${variable} is not set. Set it, or change routing.primary to one that is configured: ${configured.join(", ")}.`;
      return { line, key, message, variable };
    }
    if (providers[name] !== undefined) return undefined;
    const nearest = findNearestName(name, names);
    const hint =
      nearest === undefined ? `Known are ${names.join(", ")}.` : `Did you mean \`${nearest}\`?`;
    return {
      line,
      key,
      message: `There is no provider \`${name}\` below models.providers. ${hint}`,
    };
  };

  const problem = explain(primary, "routing.primary");
  if (problem !== undefined) problems.push(problem);
  for (const [index, fallback] of fallbacks.entries()) {
    const key = `routing.fallbacks[${index}]`;
    const finding = explain(fallback, key);
    if (finding === undefined) continue;
    const { line, variable, message } = finding;
    const skipped =
      variable === undefined
        ? `${message} It is skipped.`
        : `Skipped: the environment variable ${variable} is not set.`;
    warnings.push({ level: variable === undefined ? "warn" : "info", line, key, message: skipped });
  }
  for (const [task, model] of Object.entries(pin)) {
    const key = toKeyPath(["routing", "pin", task]);
    const finding = taskTypes.includes(task)
      ? explain(model, key)
      : { message: `There is no kind of task \`${task}\`. Known are ${taskTypes.join(", ")}.` };
    if (finding === undefined) continue;
    const message = `${finding.message} The pin is skipped.`;
    warnings.push({ level: "warn", line: lineOf(key), key, message });
  }
}

/** What routing sorts questions into. */
const taskTypes = ["general", "chat", "code", "analysis", "transform", "deep_conversation"];

/** The provider part of `provider/model`; `undefined` when only a model is named. */
function toProvider(model: string, names: readonly string[]): string | undefined {
  if (names.includes(model)) return model;
  return model.includes("/") ? model.slice(0, model.indexOf("/")) : undefined;
}

function checkServer(
  { server }: Config,
  lineOf: (key: string) => number,
  problems: ConfigProblem[],
): void {
  const { enabled, addr, token, allowPublic } = server;
  const hasToken = token !== undefined && token.reveal() !== "";
  if (!enabled || hasToken || allowPublic || isLoopback(addr)) return;
  problems.push({
    line: lineOf("server.addr"),
    key: "server.addr",
    message: `${addr} can be reached from other machines, and callers are not asked for a credential. Set server.token, or use 127.0.0.1, or set server.allow_public: true if something in front checks callers.`,
  });
}

function checkPrograms(
  { plugins, channels, pluginSettings }: Config,
  lineOf: (key: string) => number,
  warnings: ConfigWarning[],
): void {
  for (const [name, { enabled, unsetVariables }] of Object.entries(channels)) {
    if (!enabled || unsetVariables === "") continue;
    const key = toKeyPath(["channels", name]);
    const message = `Left out: it needs ${unsetVariables} in the environment.`;
    warnings.push({ level: "warn", line: lineOf(key), key, message });
  }
  for (const [name, { enabled, exposeHttp, httpPort }] of Object.entries(plugins)) {
    if (!enabled || !exposeHttp || httpPort !== 0) continue;
    const key = toKeyPath(["plugins", name, "expose_http"]);
    const message = "Nothing can be passed on: set http_port, the port the plugin serves HTTP on.";
    warnings.push({ level: "warn", line: lineOf(key), key, message });
  }
  const mayBeDiscovered = pluginSettings.tools.pluginDir !== "";
  for (const [part, entries] of Object.entries({ plugins, channels })) {
    for (const [name, { enabled, plugin, github }] of Object.entries(entries)) {
      if (!enabled || plugin !== "" || github !== "") continue;
      if (part === "plugins" && mayBeDiscovered) continue;
      const key = toKeyPath([part, name]);
      const message = "Switched on, but neither `plugin` nor `github` says what to run.";
      warnings.push({ level: "warn", line: lineOf(key), key, message });
    }
  }
}

/** An exception that fits no plugin is a slip of the pen. */
function checkOverrides(
  { plugins, pluginSettings }: Config,
  lineOf: (key: string) => number,
  warnings: ConfigWarning[],
): void {
  // Names of those that are found there are not known here.
  if (pluginSettings.tools.pluginDir !== "") return;
  const names = Object.keys(plugins);
  for (const name of Object.keys(pluginSettings.tools.overrides)) {
    if (names.some((plugin) => name === plugin || name.startsWith(`${plugin}__`))) continue;
    const key = toKeyPath(["plugins", "tools", "overrides", name]);
    const message = `There is no plugin \`${name}\` below plugins:, so this has no effect. Write a plugin's name there, or \`<plugin>__<action>\`.`;
    warnings.push({ level: "warn", line: lineOf(key), key, message });
  }
}

/** A provider is a service with an address or a program, never both. */
function checkProviderPrograms(
  { models: { providers } }: Config,
  lineOf: (key: string) => number,
  problems: ConfigProblem[],
): void {
  for (const [name, { plugin, baseUrl, api }] of Object.entries(providers)) {
    if (plugin === "" || (baseUrl === "" && api === "")) continue;
    const key = toKeyPath(["models", "providers", name, "plugin"]);
    const other = baseUrl === "" ? "api" : "base_url";
    const message = `A program answers for this provider, so ${other} means nothing. Remove plugin or ${other}; settings of the program belong below config.`;
    problems.push({ line: lineOf(key), key, message });
  }
}

function checkDatabase(
  { state: { db } }: Config,
  lineOf: (key: string) => number,
  problems: ConfigProblem[],
): void {
  if (db.driver !== "postgres" || (db.dsn !== undefined && db.dsn.reveal() !== "")) return;
  problems.push({
    line: lineOf("state.db.driver"),
    key: "state.db.dsn",
    message: "PostgreSQL needs an address, for example dsn: ${DATABASE_URL}.",
  });
}

/** Whether `host:port` is reachable from this machine only. */
function isLoopback(addr: string): boolean {
  const host = addr.slice(0, addr.lastIndexOf(":"));
  return /^127(?:\.\d{1,3}){3}$/.test(host) || host === "localhost" || host === "[::1]";
}
