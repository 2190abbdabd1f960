import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, resolve } from "node:path";
import * as z from "zod/mini";
import { isSecret } from "../base/secret.ts";
import { checkConfig } from "./check-config.ts";
import { type Config, configKey, keysWithoutEffect, protectingKeys } from "./config-schema.ts";
import type { Environment } from "./expand-variables.ts";
import { explainIssue } from "./explain-problems.ts";
import type { OpaqueValue, Tree } from "./key.ts";
import {
  ConfigFileError,
  type ConfigProblem,
  type ConfigWarning,
  createProblemsError,
} from "./problems.ts";
import { type ReadTree, readTree } from "./read-tree.ts";
import { readText } from "./read-text.ts";
import { readYaml, TooLargeError } from "./read-yaml.ts";
import { type Places, resolvePath } from "./resolve-path.ts";
import { type RedactedOptions, toRedactedYaml } from "./to-redacted-yaml.ts";

export type { Config } from "./config-schema.ts";
export type { Environment } from "./expand-variables.ts";
export type { ConfigWarning } from "./problems.ts";

export interface LoadedConfig {
  /** Deeply frozen; credentials are `Secret`s. */
  readonly config: Config;
  /** Absolute path of the file. */
  readonly path: string;
  /** Absolute path of its directory. */
  readonly directory: string;
  /** In the order of the file. */
  readonly warnings: readonly ConfigWarning[];
  /**
   * The configuration as YAML that may be shown to people: credentials, whatever came out of a variable, and whatever
   * looks like a credential are `[secret]`.
   */
  readonly toRedactedYaml: (options?: RedactedOptions) => string;
}

export interface LoadOptions {
  readonly path: string;
  readonly environment: Environment;
  /**
   * Which variables have to be set: `all` that the file names, or those of the `state` only, for commands that use no
   * other credentials. The texts of others then stand as they are written.
   */
  readonly needs?: "all" | "state";
}

export interface ParseOptions extends LoadOptions {
  readonly text: string;
  /** How relative paths are resolved; by default they all start at the directory of `path`. */
  readonly places?: Partial<Omit<Places, "directory">>;
}

/**
 * Gets: the path of the configuration file and the environment.
 * Gives: the configuration, checked, expanded and complete, with warnings.
 * Never: half a configuration, or the text of a credential in an error.
 * @throws ConfigError CONFIG_NOT_FOUND, CONFIG_UNREADABLE, CONFIG_SYNTAX, CONFIG_INVALID, CONFIG_VARIABLE_UNSET.
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { path, environment } = options;
  const text = await readText(path);
  const homeDirectory = environment["HOME"] ?? homedir();
  const places = { exists: existsSync, workingDirectory: process.cwd(), homeDirectory };
  return parseConfig({ ...options, text, places });
}

/**
 * The same for text that was read before; looks at nothing but its arguments.
 * @throws ConfigError CONFIG_SYNTAX, CONFIG_INVALID, CONFIG_VARIABLE_UNSET.
 */
export function parseConfig(options: ParseOptions): LoadedConfig {
  const { text, path, environment, places = {}, needs = "all" } = options;
  const yaml = readYaml(text);
  if (yaml.problems.length > 0) throw new ConfigFileError("CONFIG_SYNTAX", path, yaml.problems);
  const absolutePath = resolve(path);
  const allPlaces: Places = {
    directory: dirname(absolutePath),
    workingDirectory: dirname(absolutePath),
    homeDirectory: environment["HOME"] ?? "/",
    exists: () => true,
    ...places,
  };
  const read = readWithin(path, () =>
    readTree({
      yaml,
      root: configKey,
      environment,
      resolvePath: (written, kind) => resolvePath(written, kind, allPlaces),
      withoutEffect: keysWithoutEffect,
      protecting: protectingKeys,
    }),
  );
  const { tree, lines, derived } = read;
  completeTree(tree, environment, allPlaces);
  const problems = needs === "all" ? read.problems : read.problems.filter(isOfState);
  const config = validate(path, { ...read, problems });

  const found = checkConfig(config, (key) => lines.get(key) ?? 0);
  if (found.problems.length > 0) throw createProblemsError(path, found.problems);
  const warnings = [...yaml.warnings, ...read.warnings, ...found.warnings].sort(
    (a, b) => a.line - b.line,
  );
  return {
    config: deepFreeze(config),
    path: absolutePath,
    directory: allPlaces.directory,
    warnings: warnings.map((warning) => locate(warning, path)),
    toRedactedYaml: (options) => toRedactedYaml(tree, derived, options),
  };
}

/** A `config` block as plain JSON values, for the plugin it belongs to: the one place where its secrets are revealed. */
export function revealBlock(block: Readonly<Record<string, OpaqueValue>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(block).map(([name, value]) => [name, isSecret(value) ? value.reveal() : value]),
  );
}

/** Whether a problem is more than a variable that is not set elsewhere than in the `state` section. */
function isOfState({ variable, key }: ConfigProblem): boolean {
  return variable === undefined || key.startsWith("state.");
}

function validate(path: string, { tree, problems, lines }: ReadTree): Config {
  const result = z.safeParse(configKey.schema(), tree);
  const invalid = result.success ? [] : toProblems(result.error.issues, tree, lines);
  const all = [...problems, ...invalid];
  if (!result.success || all.length > 0) throw createProblemsError(path, all);
  return result.data;
}

function toProblems(
  issues: readonly { readonly path: readonly PropertyKey[] }[],
  tree: Tree,
  lines: ReadonlyMap<string, number>,
): ConfigProblem[] {
  const byKey = new Map<string, ConfigProblem>();
  for (const issue of issues) {
    const problem = explainIssue(issue.path, configKey, tree, lines);
    if (!byKey.has(problem.key)) byKey.set(problem.key, problem);
  }
  return [...byKey.values()];
}

function readWithin(path: string, read: () => ReadTree): ReadTree {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TooLargeError) && !(error instanceof RangeError)) throw error;
    const message =
      "Aliases (`*name`) repeat too much: the file stands for more than 100000 values.";
    throw new ConfigFileError("CONFIG_INVALID", path, [{ line: 0, key: "", message }]);
  }
}

/** What the environment decides, and defaults that depend on the machine. */
function completeTree(tree: Tree, environment: Environment, places: Places): void {
  const level = environment["LOG_LEVEL"]?.toLowerCase().replace("warning", "warn") ?? "";
  if (["debug", "info", "warn", "error"].includes(level)) toSection(tree, "log")["level"] = level;
  const state = toSection(tree, "state");
  state["data_dir"] ??= resolvePath("~/.opentalon", "data", places);
}

function toSection(tree: Tree, name: string): Tree {
  const section = tree[name] ?? {};
  tree[name] = section;
  // A wrong type stays, for the schema to refuse.
  return typeof section === "object" ? (section as Tree) : {};
}

function locate(warning: ConfigWarning, path: string): ConfigWarning {
  const { line, key, message } = warning;
  const place = `${path}${line === 0 ? "" : `:${line}`}`;
  return { ...warning, message: `${place}: ${key === "" ? "" : `${key}: `}${message}` };
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
