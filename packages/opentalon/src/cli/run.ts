import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { isatty } from "node:tty";
import { createLog } from "../base/create-log.ts";
import { systemClock } from "../base/clock.ts";
import { parseListenAddress } from "../base/listen-address.ts";
import type { Log } from "../base/log.ts";
import type { Config, LoadedConfig } from "../config/load-config.ts";
import { readEnvironment } from "../config/read-environment.ts";
import { createOpenTalon, type OpenTalon, type Terminal } from "../opentalon.ts";
import { findBundledChannels, findBundledPlugins } from "./find-bundled-plugins.ts";
import { load, reportError } from "./load.ts";
import { programVersion } from "./program-version.ts";

/** Ctrl+C, a supervisor, a terminal that was closed. */
const endSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** How long the program may take to end after a second signal. */
const hurriedEndMs = 1_000;

/** Runs OpenTalon until it is told to end; the exit code. */
export async function run(configPath: string, preferredModel?: string): Promise<number> {
  enableCompileCache();
  // Whoever reads our output may go away first; the console notices by itself.
  process.stdout.on("error", () => undefined);
  const loaded = await load(configPath);
  if (loaded === undefined) return 1;
  const { config } = loaded;
  const { file } = config.log;
  const pretty = file === "" && process.stderr.isTTY;
  const level = toLogLevel(config, pretty);
  const log = createLog({ level, file: file === "" ? undefined : file, pretty });
  for (const { level, message } of loaded.warnings) log[level](message);
  try {
    await runUntilEnded(loaded, log, preferredModel);
    return 0;
  } catch (error) {
    // On a terminal the words below are for the same eyes.
    if (!pretty) log.error({ err: error }, "OpenTalon ends because of an error");
    reportError(error);
    return 1;
  }
}

/** On a terminal that a conversation goes on at, routine lines would land inside it. */
function toLogLevel({ log: { level }, channels }: Config, isOnTerminal: boolean): string {
  if (level !== "auto") return level;
  const hasConsole = Object.values(channels).some(
    ({ enabled, plugin, github }) =>
      enabled && (plugin === "console" || github === "opentalon/console-channel"),
  );
  return isOnTerminal && hasConsole ? "warn" : "info";
}

async function runUntilEnded(
  loaded: LoadedConfig,
  log: Log,
  preferredModel: string | undefined,
): Promise<void> {
  const signals = listenForSignals(log);
  try {
    await using openTalon = await createOpenTalon({
      loaded,
      environment: readEnvironment(),
      bundledPlugins: findBundledPlugins(),
      bundledChannels: findBundledChannels(),
      log,
      clock: systemClock,
      terminal: toTerminal(loaded, signals.end),
      preferredModel,
    });
    await using door = await openDoor(loaded, openTalon, log);
    await using _ports = await openPorts(loaded, openTalon, log);
    await using _metrics = await openMetricsDoor(loaded, openTalon, log);
    await using control = openControlLater(loaded, openTalon, log);
    if (!signals.endAsked()) {
      await Promise.race([openTalon.start(), signals.ended, openTalon.finished]);
    }
    if (!signals.endAsked())
      log.info({ sinceStartMs: Math.round(performance.now()), door: door?.url }, "ready");
    control.open();
    await Promise.race([signals.ended, openTalon.finished]);
    log.info("stopping");
    door?.announceClosing();
    await openTalon.drain();
  } finally {
    signals.stopListening();
  }
}

function toTerminal({ config }: LoadedConfig, onInterrupt: () => void): Terminal {
  const { stdout, stderr } = process;
  const isTerminal = isatty(0) && stdout.isTTY;
  return {
    // Whoever looks at it takes it: a channel that is a program may be handed standard input as it is.
    get input() {
      return process.stdin;
    },
    output: stdout,
    notices: stderr,
    isTerminal,
    useColors: isTerminal && stdout.hasColors(),
    columns: () => stdout.columns,
    title: `OpenTalon ${programVersion}. /help lists the commands.`,
    historyFile: join(config.state.dataDir, "console_history"),
    onInterrupt,
  };
}

async function openDoor({ config }: LoadedConfig, openTalon: OpenTalon, log: Log) {
  const { routes, socketRoutes } = openTalon;
  if (!config.server.enabled && routes.length + socketRoutes.length === 0) return undefined;
  const { createHttpDoor } = await import("../server/http-door.ts");
  return createHttpDoor({
    address: config.server.addr,
    routes,
    socketRoutes,
    findUnready: openTalon.findUnready,
    token: config.server.token,
    allowPublic: config.server.allowPublic,
    log,
  });
}

/** Ports that channels ask for, at the host of the door and with its rules. */
async function openPorts({ config }: LoadedConfig, openTalon: OpenTalon, log: Log) {
  await using doors = new AsyncDisposableStack();
  const { host } = parseListenAddress(config.server.addr);
  for (const { port, setting, routes } of openTalon.portRoutes) {
    const { createHttpDoor } = await import("../server/http-door.ts");
    doors.use(
      await createHttpDoor({
        address: `${host.includes(":") ? `[${host}]` : host}:${port}`,
        setting,
        routes,
        findUnready: openTalon.findUnready,
        token: config.server.token,
        allowPublic: config.server.allowPublic,
        log,
      }),
    );
  }
  return doors.move();
}

async function openMetricsDoor({ config }: LoadedConfig, openTalon: OpenTalon, log: Log) {
  const { metricsRoute } = openTalon;
  if (metricsRoute === undefined) return undefined;
  const { createHttpDoor } = await import("../server/http-door.ts");
  return createHttpDoor({
    address: config.metrics.addr,
    setting: "metrics.addr",
    routes: [metricsRoute],
    findUnready: openTalon.findUnready,
    token: config.server.token,
    allowPublic: config.server.allowPublic,
    log,
  });
}

/** How long a start may take before the control socket is opened in the middle of it. */
const controlPatienceMs = 1_000;

/** The control socket, opened when the start is over or takes long, so that no start waits for it. */
function openControlLater({ config }: LoadedConfig, openTalon: OpenTalon, log: Log) {
  let opening: Promise<AsyncDisposable | undefined> | undefined;
  const open = (): void => {
    opening ??= import("../server/control-socket.ts")
      .then(({ createControlSocket }) =>
        createControlSocket({
          directory: config.state.dataDir,
          routes: openTalon.controlRoutes,
          log,
        }),
      )
      .catch((error: unknown) => {
        log.warn({ err: error }, "no control socket; `opentalon plugin` cannot reach this process");
        return undefined;
      });
  };
  const cancel = systemClock.after(controlPatienceMs, open);
  return {
    open,
    [Symbol.asyncDispose]: async () => {
      cancel();
      await (await opening)?.[Symbol.asyncDispose]();
    },
  };
}

/** The first SIGINT or SIGTERM asks for an orderly end, a second one for a quick one. */
function listenForSignals(log: Log) {
  const ended = Promise.withResolvers<void>();
  let asked = false;
  const end = (): void => {
    if (asked) {
      log.warn(
        "told to end a second time: ending now; what is unfinished goes on at the next start",
      );
      setTimeout(() => process.exit(1), hurriedEndMs / 2).unref();
      process.exitCode = 1;
    }
    asked = true;
    ended.resolve();
  };
  for (const signal of endSignals) process.on(signal, end);
  return {
    ended: ended.promise,
    endAsked: () => asked,
    end,
    stopListening: () => {
      for (const signal of endSignals) process.off(signal, end);
    },
  };
}
