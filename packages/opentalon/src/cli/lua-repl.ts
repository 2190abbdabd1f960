import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "../base/clock.ts";
import { toMessage } from "../base/errors.ts";
import { toPrintableText } from "../base/printable.ts";
import type { Config } from "../config/load-config.ts";
import { readEnvironment } from "../config/read-environment.ts";
import { type ConsoleOutcome, type LuaConsole, loadPart } from "../opentalon.ts";
import { reportError } from "./load.ts";

const historyLength = 500;
const maxPending = 65_536;

const help = `Lua is run as in a hook; \`ctx\` holds sample data: change it with ctx.message = "…".
  :call NAME [ARGUMENTS]   call a function of the script; without arguments with what a hook gets
  :time LUA                run it and say how long it took
  :llm TEXT                what the next ctx.llm answers (no model is asked)
  :reload                  read the script again and start afresh
  :help                    this
  :quit                    end (Ctrl+D as well)
`;

/** `opentalon lua repl`: exit code 1 when the input is no terminal and something failed. */
export async function runLuaRepl(
  path: string | undefined,
  config: Config | undefined,
): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const isTerminal = stdin.isTTY && stdout.isTTY;
  const show = (text: string): void => void stdout.write(`${toPrintableText(text)}\n`);
  let failures = 0;
  const report = (outcome: ConsoleOutcome): void => {
    if (outcome.kind === "done") {
      if (outcome.text !== "") show(outcome.text);
      return;
    }
    failures += 1;
    const text = outcome.kind === "failed" ? outcome.text : "the input ended too early";
    (isTerminal ? stdout : stderr).write(`error: ${toPrintableText(text)}\n`);
  };
  try {
    const { openLuaConsole } = await loadPart.luaConsole();
    const { readLuaSettings } = await loadPart.luaSettings();
    await using session = await openLuaConsole({
      ...readLuaSettings(config, readEnvironment()),
      clock: systemClock,
      onPrint: show,
    });
    report(await loadScript(session, path));
    const history = openHistory(isTerminal ? config?.state.dataDir : undefined);
    const reader = createInterface({
      input: stdin,
      ...(isTerminal ? { output: stdout, terminal: true, history: [...history.lines] } : {}),
      historySize: historyLength,
      removeHistoryDuplicates: true,
    });
    if (isTerminal) stdout.write(":help lists the commands.\n");
    reader.on("history", history.keep);
    let pending = "";
    const prompt = (): void => {
      if (!isTerminal) return;
      reader.setPrompt(pending === "" ? "lua> " : "...> ");
      reader.prompt();
    };
    reader.on("SIGINT", () => {
      pending = "";
      stdout.write("\n");
      prompt();
    });
    prompt();
    for await (const line of reader) {
      if (pending === "" && line.trim() === ":quit") break;
      if (pending === "" && /^\s*:\w/.test(line)) {
        report(await runCommand(session, line.trim(), path, show));
      } else if (pending !== "" || line.trim() !== "") {
        const source = pending === "" ? line : `${pending}\n${line}`;
        const outcome = await session.evaluate(source);
        const isOpen = outcome.kind === "incomplete" && source.length < maxPending;
        pending = isOpen ? source : "";
        if (!isOpen) report(outcome);
      }
      prompt();
    }
    reader.close();
    if (pending !== "") report({ kind: "incomplete" });
    if (isTerminal) stdout.write("\n");
  } catch (error) {
    reportError(error);
    return 1;
  }
  return failures > 0 && !isTerminal ? 1 : 0;
}

async function loadScript(session: LuaConsole, path: string | undefined): Promise<ConsoleOutcome> {
  if (path === undefined) return await session.load();
  try {
    return await session.load({ name: basename(path), source: readFileSync(path, "utf8") });
  } catch (error) {
    return { kind: "failed", text: toMessage(error) };
  }
}

async function runCommand(
  session: LuaConsole,
  line: string,
  path: string | undefined,
  show: (text: string) => void,
): Promise<ConsoleOutcome> {
  const nothing: ConsoleOutcome = { kind: "done", text: "", seconds: 0 };
  const [, name = "", rest = ""] = /^:(\w+)\s*(.*)$/s.exec(line) ?? [];
  switch (name) {
    case "help":
      show(help.trimEnd());
      return nothing;
    case "llm":
      session.addAnswer(rest);
      return nothing;
    case "reload":
      return await loadScript(session, path);
    case "time": {
      const outcome = await session.evaluate(rest);
      if (outcome.kind !== "done") return outcome;
      if (outcome.text !== "") show(outcome.text);
      return { ...outcome, text: `${(outcome.seconds * 1_000).toFixed(3)} ms` };
    }
    case "call": {
      const [, called = "", given = ""] = /^([A-Za-z_]\w*)\s*(.*)$/s.exec(rest) ?? [];
      if (called === "") return { kind: "failed", text: "say which function: :call prepare" };
      return await session.evaluate(`${called}(${given === "" ? toArguments(called) : given})`);
    }
    default:
      return { kind: "failed", text: `there is no command :${name}; :help lists them` };
  }
}

function toArguments(called: string): string {
  if (called === "prepare") return "ctx.message";
  if (called === "format") return "ctx.message, ctx.response_format";
  return "ctx";
}

/** What was typed, newest first, in the folder of the program's state; only there when that folder is. */
function openHistory(folder: string | undefined): {
  readonly lines: readonly string[];
  readonly keep: (lines: readonly string[]) => void;
} {
  const path = folder === undefined ? undefined : join(folder, "lua_history");
  const read = (): readonly string[] => {
    try {
      return path === undefined ? [] : readFileSync(path, "utf8").split("\n").filter(Boolean);
    } catch {
      return [];
    }
  };
  return {
    lines: read().slice(0, historyLength),
    keep: (lines) => {
      if (path === undefined) return;
      try {
        writeFileSync(path, `${lines.slice(0, historyLength).join("\n")}\n`, { mode: 0o600 });
      } catch {
        // A history that cannot be kept is no reason to stop.
      }
    },
  };
}
