import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { createLog } from "../base/create-log.ts";
import { toPrintableLine } from "../base/printable.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import { readEnvironment } from "../config/read-environment.ts";
import { loadPart, type ScriptTestResult } from "../opentalon.ts";
import { load, reportError } from "./load.ts";
import { runLuaRepl } from "./lua-repl.ts";
import { toJson } from "./routing-commands.ts";

/** Adds `opentalon lua …`. */
export function addLuaCommands(program: Command): void {
  const lua = program.command("lua").description("try and test Lua scripts");
  const configuration = async (): Promise<{ loaded: LoadedConfig | undefined } | undefined> => {
    const { config: path } = program.opts<{ config: string }>();
    const isDefault = program.getOptionValueSource("config") === "default";
    const file = path.startsWith("~/") ? join(homedir(), path.slice(2)) : path;
    if (isDefault && !existsSync(file)) return { loaded: undefined };
    const loaded = await load(path);
    return loaded && { loaded };
  };
  lua
    .command("test")
    .description(
      "run the tests of a folder: *.cases.yaml and *_test.lua; exit code 1 when one fails",
    )
    .argument("<folder>", "folder with the scripts and their tests")
    .option("--json", "print JSON")
    .action(async (folder: string, { json }: { json?: boolean }) => {
      const configured = await configuration();
      process.exitCode =
        configured === undefined ? 1 : await printTests(folder, json === true, configured.loaded);
    });
  lua
    .command("repl")
    .description("type Lua as a hook would run it; standard input may be a pipe")
    .argument("[script]", "script whose functions are there")
    .action(async (script: string | undefined) => {
      const configured = await configuration();
      process.exitCode =
        configured === undefined ? 1 : await runLuaRepl(script, configured.loaded?.config);
    });
}

async function printTests(
  folder: string,
  isJson: boolean,
  loaded: LoadedConfig | undefined,
): Promise<number> {
  const { stdout } = process;
  const startedMs = performance.now();
  try {
    const { testScripts } = await loadPart.luaTests();
    const { readLuaSettings } = await loadPart.luaSettings();
    const results = await testScripts({
      directory: folder,
      ...readLuaSettings(loaded?.config, readEnvironment()),
      clock: systemClock,
      // What scripts log is of no interest here, and why one fails stands in the result.
      log: createLog({ level: "silent", pretty: true }),
      onResult: (result) => {
        if (!isJson && !result.isPassed) stdout.write(describeFailure(result));
      },
    });
    const failed = results.filter(({ isPassed }) => !isPassed).length;
    if (isJson) stdout.write(toJson(toReport(results, failed)));
    else {
      const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
      const end = failed === 0 ? "all passed" : `${failed} failed`;
      const word = results.length === 1 ? "test" : "tests";
      stdout.write(`${results.length} ${word}, ${end} (${seconds} s)\n`);
    }
    return failed === 0 ? 0 : 1;
  } catch (error) {
    reportError(error);
    return 1;
  }
}

function describeFailure({ file, line, name, problems }: ScriptTestResult): string {
  const place = line > 0 ? `${file}:${line}` : file;
  const lines = [`FAILED ${place}: ${name}`, ...problems.map((problem) => `  ${problem}`)];
  return `${lines.map(toPrintableLine).join("\n")}\n\n`;
}

function toReport(results: readonly ScriptTestResult[], failed: number): unknown {
  return {
    passed: results.length - failed,
    failed,
    tests: results.map(({ file, line, name, isPassed, problems }) => ({
      file,
      line,
      name,
      passed: isPassed,
      problems,
    })),
  };
}
