import type { Readable } from "node:stream";
import { systemClock } from "../base/clock.ts";
import { toPrintableLine } from "../base/printable.ts";
import { redactSecrets } from "../base/secret.ts";
import type { Config } from "../config/load-config.ts";
import { loadPart } from "../opentalon.ts";
import type { ControlQuestion, ControlReply } from "../server/ask-control.ts";
import { load, reportError } from "./load.ts";

/**
 * Runs a command that needs nothing but the configuration; the exit code. The operator's terminal need not have the
 * credentials of the running program.
 */
export async function withConfig(
  path: string,
  run: (config: Config) => Promise<number>,
): Promise<number> {
  const loaded = await load(path, { needs: "state" });
  if (loaded === undefined) return 1;
  // Whoever reads our output may go away first.
  process.stdout.on("error", () => undefined);
  try {
    return await run(loaded.config);
  } catch (error) {
    reportError(error);
    return 1;
  }
}

/** Says what went wrong; the exit code. */
export function explain({ error }: { readonly error: string }): number {
  process.stderr.write(`opentalon: ${toPrintableLine(redactSecrets(error))}\n`);
  return 1;
}

/** Loaded here, so that no other command pays for it. */
export async function ask(question: ControlQuestion): Promise<ControlReply> {
  const { askControl } = await import("../server/ask-control.ts");
  return askControl(question);
}

export async function readJson<T>(body: Readable): Promise<T> {
  let text = "";
  for await (const part of body.setEncoding("utf8")) text += part as string;
  return JSON.parse(text) as T;
}

export interface ProgramAnswer {
  /** 200, or that of an error, whose `value` holds an `error`. */
  readonly status: number;
  readonly value: unknown;
  /** Whether a running program answered, and not the state alone. */
  readonly isRunning: boolean;
}

/**
 * Asks the running program, or where none runs, the state it would run over.
 * @throws StoreError, ConfigError, and as the system does.
 */
export async function askProgramOrState(
  config: Config,
  question: Omit<ControlQuestion, "directory">,
): Promise<ProgramAnswer> {
  const reply = await ask({ ...question, directory: config.state.dataDir });
  if (reply.kind === "answered") {
    return { status: reply.status, value: await readJson(reply.body), isRunning: true };
  }
  const { askState } = await loadPart.stateQuestions();
  const { status, body } = await askState({ config, clock: systemClock, ...question });
  return { status, value: JSON.parse(body), isRunning: false };
}
