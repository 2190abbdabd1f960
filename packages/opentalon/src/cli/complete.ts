import type { Command } from "commander";
import { createLog } from "../base/create-log.ts";
import { systemClock } from "../base/clock.ts";
import { ConfigError } from "../base/errors.ts";
import { toPrintableLine } from "../base/printable.ts";
import { readEnvironment } from "../config/read-environment.ts";
import { loadPart, type Completion } from "../opentalon.ts";
import { load, reportError } from "./load.ts";
import { formatCount, formatMoney } from "./render-table.ts";

interface Options {
  readonly config: string;
  readonly model?: string;
  readonly system?: string;
  readonly verbose?: boolean;
}

/** Adds `opentalon complete`. */
export function addCompleteCommand(program: Command): void {
  program
    .command("complete")
    .description("print one answer of a model; the prompt is standard input when none is given")
    .argument("[prompt...]", "what to ask")
    // Also an option of the program itself, which reads it wherever it stands.
    .option("--model <name>", "model or alias; routing decides when absent")
    .option("--system <text>", "instructions for the model")
    .option("--verbose", "say on standard error who answered, why, and at what price")
    .action(async (prompt: readonly string[], _options: unknown, command: Command) => {
      process.exitCode = await complete(prompt.join(" "), command.optsWithGlobals<Options>());
    });
}

async function complete(given: string, options: Options): Promise<number> {
  const { stdout, stderr } = process;
  // Whoever reads our output may go away first.
  stdout.on("error", () => undefined);
  const loaded = await load(options.config);
  if (loaded === undefined) return 1;
  const isVerbose = options.verbose === true;
  const log = createLog({ level: isVerbose ? "warn" : "error", pretty: true });
  if (isVerbose) for (const { level, message } of loaded.warnings) log[level](message);
  const ended = new AbortController();
  const end = (): void => ended.abort();
  process.once("SIGINT", end).once("SIGTERM", end);
  const screen = createScreen();
  try {
    const prompt = given.trim() === "" ? await readInput() : given;
    const { completePrompt } = await loadPart.completion();
    const completion = await completePrompt({
      config: loaded.config,
      environment: readEnvironment(),
      prompt,
      system: options.system ?? "",
      model: options.model,
      signal: ended.signal,
      onText: screen.show,
      onReset: screen.startOver,
      clock: systemClock,
      log,
    });
    screen.finish(completion.reply.text);
    if (isVerbose) stderr.write(describe(completion));
    if (completion.reply.text !== "") return 0;
    stderr.write("opentalon: the model gave no text.\n");
    return 1;
  } catch (error) {
    screen.leave();
    reportError(error);
    return 1;
  } finally {
    process.off("SIGINT", end).off("SIGTERM", end);
  }
}

const mostInputBytes = 16 * 1024 * 1024;

/** @throws ConfigError when there is nothing to ask, or far too much. */
async function readInput(): Promise<string> {
  const { stdin, stderr } = process;
  if (stdin.isTTY) stderr.write("Type what to ask, and end it with Ctrl+D:\n");
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of stdin as AsyncIterable<Buffer>) {
    bytes += piece.byteLength;
    if (bytes > mostInputBytes)
      throw new ConfigError("CONFIG_INVALID", "the prompt is longer than 16 MiB; ask for less");
    pieces.push(piece);
  }
  const text = Buffer.concat(pieces).toString("utf8");
  if (text.trim() !== "") return text;
  throw new ConfigError(
    "CONFIG_INVALID",
    'there is nothing to ask: opentalon complete "Why is the sky blue?"',
  );
}

/**
 * A person sees the answer grow, and where it began anew. A program that reads it gets it once it is whole: what was
 * written into a pipe cannot be taken back when another model has to step in.
 */
function createScreen() {
  const { stdout, stderr } = process;
  const isLive = stdout.isTTY;
  let shown = "";
  const breakLine = (): void => {
    if (shown !== "" && !shown.endsWith("\n")) stdout.write("\n");
    shown = "";
  };
  return {
    show: (text: string): void => {
      if (!isLive || text === "") return;
      shown = text;
      stdout.write(toHarmless(text));
    },
    startOver: (): void => {
      if (shown === "") return;
      breakLine();
      stderr.write("(The answer broke off. Here it is from the start.)\n");
    },
    finish: (text: string): void => {
      if (isLive) return breakLine();
      if (text !== "") stdout.write(text.endsWith("\n") ? text : `${text}\n`);
    },
    leave: breakLine,
  };
}

/** A model's words must not move the cursor or set the title of the window. */
function toHarmless(text: string): string {
  return text.replaceAll(/(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "�");
}

function describe({ reply: { model, usage }, reason, cost }: Completion): string {
  const { inputTokens, outputTokens, cachedInputTokens = 0 } = usage;
  const cached = cachedInputTokens > 0 ? ` (${formatCount(cachedInputTokens)} cached)` : "";
  const tokens = `${formatCount(inputTokens)} tokens read${cached}, ${formatCount(outputTokens)} written`;
  const price = cost > 0 ? `, ${formatMoney(cost)}` : "";
  return `${toPrintableLine(model)} answered; asked first because ${toPrintableLine(reason)}\n${tokens}${price}\n`;
}
