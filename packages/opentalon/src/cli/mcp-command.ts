import { type Command, InvalidArgumentError } from "commander";
import { systemClock } from "../base/clock.ts";
import { StoreError } from "../base/errors.ts";
import { createLog } from "../base/create-log.ts";
import type { Log } from "../base/log.ts";
import type { Config, LoadedConfig } from "../config/load-config.ts";
import { readEnvironment } from "../config/read-environment.ts";
import type { ToolDesk } from "../domain/tool-desk.ts";
import { loadPart } from "../opentalon.ts";
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
    await using opened = await openDesk(loaded, log);
    const { desk, lost } = opened;
    const { createMcpServers } = await import("../server/mcp/mcp-server.ts");
    const { serveStreams } = await import("../server/mcp/serve-streams.ts");
    await using serving = serveStreams({
      createServer: createMcpServers({ desk, actor, version: programVersion, log }),
      desk,
      input: process.stdin,
      output: process.stdout,
      log,
    });
    await Promise.race([serving.ended, ended.promise, lost]);
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

/** A desk for one client, over whichever process holds the plugins. */
interface ClientDesk extends AsyncDisposable {
  readonly desk: ToolDesk;
  /** Rejects when there is nothing to offer any more. */
  readonly lost: Promise<never>;
}

/** How long a program that holds the state may take to open its control socket. */
const socketPatienceMs = 10_000;
const lookAgainMs = 250;

/**
 * The tools of the OpenTalon that runs over the same state; when none does, the plugins are started here, and others that
 * come may call them too.
 */
async function openDesk(loaded: LoadedConfig, log: Log): Promise<ClientDesk> {
  const { config } = loaded;
  const remote = await findRunningDesk(config);
  if (remote !== undefined) return remote;
  try {
    return await openOwnDesk(loaded, log);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== "STORE_LOCKED") throw error;
    // It is only just starting.
    for (let waitedMs = 0; waitedMs < socketPatienceMs; waitedMs += lookAgainMs) {
      await systemClock.sleep(lookAgainMs);
      const started = await findRunningDesk(config);
      if (started !== undefined) return started;
    }
    throw error;
  }
}

async function findRunningDesk({ state }: Config): Promise<ClientDesk | undefined> {
  const { askControl } = await import("../server/ask-control.ts");
  const { createRemoteDesk } = await import("../server/mcp/remote-desk.ts");
  const directory = state.dataDir;
  const reply = await askControl({ directory, method: "GET", path: "/tools" });
  if (reply.kind === "not-running") return undefined;
  reply.body.resume();
  const desk = createRemoteDesk({
    ask: (question) => askControl({ ...question, directory }),
    clock: systemClock,
  });
  return {
    desk,
    lost: Promise.withResolvers<never>().promise,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

async function openOwnDesk({ config }: LoadedConfig, log: Log): Promise<ClientDesk> {
  await using parts = new AsyncDisposableStack();
  const { openToolDesk } = await loadPart.toolDesk();
  const desk = parts.use(
    await openToolDesk({
      config,
      environment: readEnvironment(),
      bundledPlugins: findBundledPlugins(),
      clock: systemClock,
      log,
    }),
  );
  const { createControlSocket } = await import("../server/control-socket.ts");
  const { controlRoutes: routes } = desk;
  const opening = createControlSocket({ directory: config.state.dataDir, routes, log });
  const socket = await opening.catch((error: unknown) => {
    log.warn({ err: error }, "no control socket; other programs cannot use these plugins");
    return undefined;
  });
  if (socket !== undefined) parts.use(socket);
  const opened = parts.move();
  return { desk, lost: desk.lost, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
