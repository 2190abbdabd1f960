import { ConfigError, type ConfigErrorCode } from "../base/errors.ts";

/** One thing the operator has to change. */
export interface ConfigProblem {
  /** 1 is the first line; 0 when the problem has no place in the file. */
  readonly line: number;
  /** Path of the key, for example `models.providers.openai.models[0].id`; empty for the file as a whole. */
  readonly key: string;
  /** What is wrong and what to do, as whole sentences. */
  readonly message: string;
  readonly expected?: string;
  /** What stands there; never the text of a credential. */
  readonly found?: string;
  /** The environment variable that is not set. */
  readonly variable?: string;
}

/** Something the operator should know; the program starts anyway. */
export interface ConfigWarning {
  readonly level: "warn" | "info";
  readonly line: number;
  readonly key: string;
  /** Says file, line and key as well, for a log. */
  readonly message: string;
}

/** What a look over a whole configuration brought up. */
export interface Findings {
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigWarning[];
}

/** All problems of one file at once; the message is laid out for a terminal. */
export class ConfigFileError extends ConfigError {
  readonly file: string;
  /** In the order of the file. */
  readonly problems: readonly ConfigProblem[];

  constructor(code: ConfigErrorCode, file: string, problems: readonly ConfigProblem[]) {
    const sorted = [...problems].sort((a, b) => a.line - b.line);
    super(code, toText(file, sorted));
    this.file = file;
    this.problems = sorted;
  }
}

/** Chooses the code: unset variables have their own when nothing else is wrong. */
export function createProblemsError(
  file: string,
  problems: readonly ConfigProblem[],
): ConfigFileError {
  const onlyUnset = problems.every((problem) => problem.variable !== undefined);
  return new ConfigFileError(
    onlyUnset ? "CONFIG_VARIABLE_UNSET" : "CONFIG_INVALID",
    file,
    problems,
  );
}

const maxShown = 30;

function toText(file: string, problems: readonly ConfigProblem[]): string {
  const last = problems.at(-1)?.line ?? 0;
  const width = last === 0 ? 0 : `line ${last}  `.length;
  const shown = problems.slice(0, maxShown).map(({ line, key, message }) => {
    const place = (line === 0 ? "" : `line ${line}`).padEnd(width);
    if (key === "") return `  ${place}${message}`;
    return `  ${place}${key}\n  ${" ".repeat(width)}${message}`;
  });
  const more = problems.length - shown.length;
  const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
  return [
    `${file} has ${count}:`,
    "",
    ...shown,
    ...(more > 0 ? [`  … and ${more} more`] : []),
  ].join("\n");
}

/** `["plugins", "a b", "env", 0]` as `plugins["a b"].env[0]`. */
export function toKeyPath(path: readonly (string | number)[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[\w/-]{1,100}$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part.slice(0, 100))}]`;
  }
  return text;
}
