import { type Command, InvalidArgumentError } from "commander";
import { systemClock } from "../base/clock.ts";
import { createLog } from "../base/create-log.ts";
import type { Log } from "../base/log.ts";
import type { LoadedConfig } from "../config/load-config.ts";
import { readEnvironment } from "../config/read-environment.ts";
import { loadPart, type OpenToolDesk } from "../opentalon.ts";
import { findBundledPlugins } from "./find-bundled-plugins.ts";
import { load, reportError } from "./load.ts";
import { programVersion } from "./program-version.ts";

interface Options {
  readonly config: string;
  readonly actor: string;
}

/** Adds `opentalon mcp serve`. */
export function addMcpCommand(program: Command): void {
  const mcp = program.command("mcp").description("Model Context Protocol");
  mcp
    .command("serve")
    .description(
      "offer the configured tools to a program that starts this command, over stdin and stdout",
    )
    .option("--actor <actor>", "in whose name tools are called", toActorName, "mcp:local")
    .action(async (_options: unknown, command: Command) => {
      process.exitCode = await serve(command.optsWithGlobals<Options>());
    });
}

function toActorName(text: string): string {
  if (/^[^\s:]{1,100}:\S{1,100}$/.test(text)) return text;
  throw new InvalidArgumentError("It is written <channel>:<sender>, as in mcp:anna.");
}

const endSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

async function serve({ config: path, actor }: Options): Promise<number> {
  // What any library prints must not land in the middle of the protocol.
  Object.assign(globalThis.console, toErrorsOnly(globalThis.console));
  process.stdout.on("error", () => undefined);
  const loaded = await load(path);
  if (loaded === undefined) return 1;
  const log = openLog(loaded);
  const ended = Promise.withResolvers<void>();
  const end = (): void => ended.resolve();
  for (const signal of endSignals) process.once(signal, end);
  try {
    await using desk = await openDesk(loaded, log);
    const { createMcpServers } = await import("../server/mcp/mcp-server.ts");
    const { serveStreams } = await import("../server/mcp/serve-streams.ts");
    await using serving = serveStreams({
      createServer: createMcpServers({ desk, actor, version: programVersion, log }),
      desk,
      input: process.stdin,
      output: process.stdout,
      log,
    });
    await Promise.race([serving.ended, ended.promise, desk.lost]);
    return 0;
  } catch (error) {
    reportError(error);
    return 1;
  } finally {
    for (const signal of endSignals) process.off(signal, end);
  }
}

function toErrorsOnly(real: Console): Partial<Console> {
  const error = real.error.bind(real);
  return { log: error, info: error, debug: error };
}

function openLog({ config: { log }, warnings }: LoadedConfig): Log {
  const level = log.level === "auto" ? "info" : log.level;
  const file = log.file === "" ? undefined : log.file;
  const opened = createLog({ level, file, pretty: file === undefined && process.stderr.isTTY });
  for (const { level: weight, message } of warnings) opened[weight](message);
  return opened;
}

async function openDesk({ config }: LoadedConfig, log: Log): Promise<OpenToolDesk> {
  const { openToolDesk } = await loadPart.toolDesk();
  return openToolDesk({
    config,
    environment: readEnvironment(),
    bundledPlugins: findBundledPlugins(),
    clock: systemClock,
    log,
  });
}
