import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { ConfigError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { createLuaScripts, type LuaLimits } from "../../hooks/lua/create-lua-scripts.ts";
import { compileLua } from "../../hooks/lua/lua-module.ts";
import { parseCases } from "./parse-cases.ts";
import { createCaseStore, runCase } from "./run-case.ts";
import { type LuaText, runTestFile } from "./run-test-file.ts";

export interface TestScriptsOptions {
  /** With the scripts, and their `*.cases.yaml` and `*_test.lua`. */
  readonly directory: string;
  readonly limits: LuaLimits;
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of each test as it ends. */
  readonly onResult?: ((result: ScriptTestResult) => void) | undefined;
}

export interface ScriptTestResult {
  readonly file: string;
  /** 0 when it is not known. */
  readonly line: number;
  readonly name: string;
  readonly isPassed: boolean;
  /** Lines for a person; empty when it passed. */
  readonly problems: readonly string[];
}

const caseEnding = ".cases.yaml";
const testEnding = "_test.lua";
const maxFileBytes = 4 * 1_048_576;

/**
 * Runs all tests of a folder, one after another, in the sandbox and with the limits that scripts have while the program
 * runs. A file that cannot be read is a failed test.
 * @throws ConfigError when the folder cannot be read or holds no tests.
 */
export async function testScripts(
  options: TestScriptsOptions,
): Promise<readonly ScriptTestResult[]> {
  const { directory, limits, environment, clock, log, onResult } = options;
  const files = listTests(directory);
  const store = createCaseStore();
  await using scripts = createLuaScripts({
    directory,
    limits,
    environment,
    store,
    clock,
    log,
    watch: false,
  });
  const results: ScriptTestResult[] = [];
  const report = (result: Omit<ScriptTestResult, "isPassed">): void => {
    const whole = { ...result, isPassed: result.problems.length === 0 };
    results.push(whole);
    onResult?.(whole);
  };
  const compiled = await compileLua();
  for (const file of files) {
    try {
      if (file.endsWith(caseEnding)) {
        const text = readText(directory, file);
        for (const given of parseCases(text, file.slice(0, -caseEnding.length))) {
          const { name, line } = given;
          report({ file, line, name, problems: await runCase(given, { scripts, store, log }) });
        }
        continue;
      }
      const tests: LuaText = { name: file, source: readText(directory, file) };
      const tested = `${file.slice(0, -testEnding.length)}.lua`;
      const script = readdirSync(directory).includes(tested)
        ? { name: tested, source: readText(directory, tested) }
        : undefined;
      const runs = await runTestFile({ tests, script }, { compiled, limits, environment, clock });
      for (const { name, problems } of runs) report({ file, line: 0, name, problems });
    } catch (error) {
      report({ file, line: 0, name: "(read)", problems: [toMessage(error)] });
    }
  }
  return results;
}

function listTests(directory: string): readonly string[] {
  let files: readonly string[];
  try {
    files = readdirSync(directory);
  } catch (error) {
    throw new ConfigError("CONFIG_NOT_FOUND", `cannot read the folder: ${toMessage(error)}`);
  }
  const tests = files.filter((file) => file.endsWith(caseEnding) || file.endsWith(testEnding));
  if (tests.length > 0) return tests.sort();
  throw new ConfigError(
    "CONFIG_NOT_FOUND",
    `${directory} holds no tests: write <script>${caseEnding} or <script>${testEnding} beside the scripts`,
  );
}

function readText(directory: string, file: string): string {
  const path = join(directory, file);
  if (statSync(path).size > maxFileBytes)
    throw new RangeError(`the file is larger than ${maxFileBytes / 1_048_576} MiB`);
  return readFileSync(path, "utf8");
}
