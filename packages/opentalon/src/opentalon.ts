/**
 * The composition root: builds the parts out of one configuration and joins them. The order in which a message meets
 * the parts is spelled in `orchestrator/turn.ts`; here stands who is handed what, and in which order all of it starts
 * and ends.
 */
import { assembleAccess } from "./assembly/assemble-access.ts";
import { createChannelTools } from "./channels/tools/channel-tools.ts";
import { assembleChannels, type PortRoutes, type Terminal } from "./assembly/assemble-channels.ts";
import { assembleModels } from "./assembly/assemble-models.ts";
import { assembleScripts } from "./assembly/assemble-scripts.ts";
import { assembleTools } from "./assembly/assemble-tools.ts";
import { assembleTurn } from "./assembly/assemble-turn.ts";
import { findNamedModel } from "./assembly/find-named-model.ts";
import { openStore } from "./assembly/open-store.ts";
import { toControlRoutes, toGatewayRoutes } from "./assembly/control-routes.ts";
import { createTypingObserver } from "./assembly/keep-typing.ts";
import type { Clock } from "./base/clock.ts";
import type { HttpRoute } from "./base/http-route.ts";
import type { Log } from "./base/log.ts";
import type { SocketRoute } from "./base/socket-route.ts";
import { ConfigError } from "./base/errors.ts";
import type { Config, Environment, LoadedConfig } from "./config/load-config.ts";
import type { PluginCall } from "./domain/plugin.ts";
import { createAcceptMessage } from "./inbound/accept-message.ts";
import { isStopCommand, standsAlone } from "./inbound/stands-alone.ts";
import type { Metrics } from "./observe/metrics.ts";
import { createTurnLog } from "./observe/turn-log.ts";
import { createDeliveryLoop } from "./orchestrator/delivery.ts";
import { createGatherMessages } from "./orchestrator/gather-messages.ts";
import { createSessionQueue } from "./orchestrator/session-queue.ts";
import { runTurn } from "./orchestrator/turn.ts";
import { createPatientStore } from "./store/patient-store.ts";
import type { PluginStateStore } from "./store/ports.ts";

export type { Terminal } from "./assembly/assemble-channels.ts";
export type { Completion } from "./assembly/complete-prompt.ts";
export type { RoutingReplay } from "./assembly/replay-routing.ts";
export type { RoutingReport, RoutingReportSum } from "./assembly/report-routing.ts";
export type { AffinityView } from "./assembly/show-affinity.ts";
export type { ConsoleOutcome, LuaConsole } from "./assembly/lua/open-lua-console.ts";
export type { ScriptTestResult } from "./assembly/lua/test-scripts.ts";
export type { OpenToolDesk } from "./assembly/open-tool-desk.ts";
export type { SourceManager } from "./assembly/manage-sources.ts";
export type { SignIns, SignInNotice } from "./assembly/assemble-sign-ins.ts";

/** What single commands need beside a running program; loaded by the command that uses it, so that a start stays quick. */
export const loadPart = {
  providerChecks: () => import("./assembly/check-providers.ts"),
  completion: () => import("./assembly/complete-prompt.ts"),
  routingReplay: () => import("./assembly/replay-routing.ts"),
  routingReport: () => import("./assembly/report-routing.ts"),
  affinity: () => import("./assembly/show-affinity.ts"),
  luaConsole: () => import("./assembly/lua/open-lua-console.ts"),
  luaSettings: () => import("./assembly/lua/read-lua-settings.ts"),
  luaTests: () => import("./assembly/lua/test-scripts.ts"),
  sourceManager: () => import("./assembly/manage-sources.ts"),
  stateQuestions: () => import("./assembly/ask-state.ts"),
  signIns: () => import("./assembly/assemble-sign-ins.ts"),
  toolDesk: () => import("./assembly/open-tool-desk.ts"),
} as const;

export interface OpenTalonOptions {
  readonly loaded: LoadedConfig;
  /** Of this program; plugins get only a few names of it. */
  readonly environment: Environment;
  /** Folder of the plugins that come with the program. */
  readonly bundledPlugins: string;
  /** Folder of the channel definitions that come with the program. */
  readonly bundledChannels: string;
  readonly clock: Clock;
  readonly log: Log;
  /** The terminal a console channel may own. */
  readonly terminal: Terminal;
  /** Name of the model for all messages for which nobody chose another one. */
  readonly preferredModel?: string | undefined;
}

export interface OpenTalon extends AsyncDisposable {
  /** What channels and plugins offer at the HTTP door; empty when none needs it. */
  readonly routes: readonly HttpRoute[];
  /** What channels offer at ports of their own. */
  readonly portRoutes: readonly PortRoutes[];
  /** WebSockets that channels take at the HTTP door. */
  readonly socketRoutes: readonly SocketRoute[];
  /** What the operator of this machine may ask the running program. */
  readonly controlRoutes: readonly HttpRoute[];
  /** Numbers for Prometheus; absent unless they are switched on. */
  readonly metricsRoute: HttpRoute | undefined;
  /** Plugins and channels that are not ready, by name. */
  readonly findUnready: () => readonly string[];
  /** Takes up what an earlier process left, opens all channels, and resolves when plugins have started or failed. */
  readonly start: () => Promise<void>;
  /** Resolves when the terminal ended that messages came from; rejects when the state was lost: a disk that failed, another process. */
  readonly finished: Promise<void>;
  /** Stops intake, lets turns under way and their replies finish within bounds. Dispose afterwards. */
  readonly drain: () => Promise<void>;
}

const maxDeliveryAttempts = 10;
const turnGraceMs = 25_000;
const deliveryGraceMs = 5_000;
const pluginStartGraceMs = 10_000;
const pruneIntervalMs = 3_600_000;

/**
 * Builds everything; nothing is taken in before `start`. What was built is released again when building fails half-way.
 * @throws StoreError, ConfigError, ChannelError
 */
export async function createOpenTalon(options: OpenTalonOptions): Promise<OpenTalon> {
  const { loaded, environment, bundledPlugins, bundledChannels, clock, log, terminal } = options;
  const { config } = loaded;
  refuseUnenforced(config);
  await using parts = new AsyncDisposableStack();
  const ending = Promise.withResolvers<void>();
  // Whoever waits for the end is told; until somebody waits the rejection must not count as unhandled.
  ending.promise.catch(() => undefined);
  const givingUp = new AbortController();

  // Plugins first: they are processes and boot while the rest is built.
  const stateOpened = Promise.withResolvers<PluginStateStore>();
  let metrics: Metrics | undefined;
  const channelTools = createChannelTools({ clock, log });
  parts.defer(channelTools.close);
  const tools = parts.use(
    assembleTools({
      config,
      environment,
      bundledPlugins,
      clock,
      log,
      channelTools,
      pluginState: stateOpened.promise,
      onPluginCall: (call: PluginCall): void => metrics?.pluginCalled(call),
    }),
  );
  const toolsSettled = within(clock, pluginStartGraceMs, tools.start()).then((isSettled) => {
    if (isSettled) return;
    log.warn(
      { unready: tools.findUnready() },
      "answers begin without the plugins that are still starting",
    );
  });
  if (config.metrics.enabled) {
    const { createMetrics } = await import("./observe/metrics.ts");
    metrics = parts.use(createMetrics({ pluginStatuses: tools.plugins.statuses }));
  }
  const opened = parts.use(await openStore({ config, clock, log, onLost: ending.reject }));
  const store = createPatientStore({ store: opened, clock, log, signal: givingUp.signal });
  stateOpened.resolve(store.pluginState);
  const { keyValue, posted, routing: routingStore } = store;
  const { preferredModel } = options;
  const models = parts.use(
    assembleModels({
      config,
      environment,
      keyValue,
      routingStore,
      posted,
      preferredModel,
      clock,
      log,
    }),
  );
  if (preferredModel !== undefined) {
    // Models of a provider plugin have names once it has told them.
    if (models.router.resolve(preferredModel) === undefined) await models.settled;
    findNamedModel(models.router, preferredModel);
  }
  const channels = parts.use(
    await assembleChannels({
      config,
      environment,
      bundledChannels,
      keyValue,
      terminal,
      tools: channelTools,
      clock,
      log,
      onFinished: ending.resolve,
    }),
  );

  const scripts = parts.use(assembleScripts({ config, environment, keyValue, clock, log }));

  const turnLog = createTurnLog({ log, clock });
  const delivery = createDeliveryLoop({
    outbox: store.outbox,
    posted,
    split: channels.split,
    send: channels.send,
    knowsRepeats: channels.knowsRepeats,
    maxAttempts: maxDeliveryAttempts,
    clock,
    log,
  });
  const access = assembleAccess({ config, keyValue, send: channels.send, clock, log });
  const typing = createTypingObserver({ show: channels.show, clock });
  parts.defer(typing.dispose);
  const stages = assembleTurn({
    config,
    commands: access.commands,
    showConfig: loaded.toRedactedYaml,
    store,
    models,
    tools,
    scripts,
    delivery,
    capabilitiesOf: channels.capabilitiesOf,
    formatWords: channels.formatWords,
    observe: (turn, event) => {
      turnLog(turn, event);
      channels.show(turn, event);
      typing.observe(turn, event);
    },
    clock,
    log,
  });
  // Messages are taken in at once; their turns wait for what an earlier process left, and for plugins that still boot.
  const recovered = Promise.withResolvers<void>();
  const windowMs = config.orchestrator.debounceWindowMs;
  const sessions = createSessionQueue({
    run: async (turn, signal) => {
      await Promise.all([recovered.promise, toolsSettled, models.settled, scripts.settled]);
      await runTurn(turn, stages, signal);
    },
    concurrency: config.orchestrator.maxConcurrentSessions,
    windowMs,
    gather: createGatherMessages({ windowMs, journal: store.journal, standsAlone }),
    standsAlone: ({ message }) => standsAlone(message),
    isStop: ({ message }) => isStopCommand(message),
    clock,
    log,
  });
  let isStopping = false;
  const accept = createAcceptMessage({
    inbox: store.inbox,
    ...access,
    onAccepted: sessions.add,
    isStopping: () => isStopping,
    log,
  });
  const pruning = startPruning(store.prune, clock, log);
  const built = parts.move();

  return {
    routes: [...channels.routes, ...tools.routes],
    portRoutes: channels.portRoutes,
    socketRoutes: channels.socketRoutes,
    controlRoutes: [
      ...toControlRoutes(tools),
      ...toGatewayRoutes({ outbox: store.outbox, delivery, pairing: access.pairing }),
    ],
    metricsRoute: metrics?.route,
    findUnready: () => [...tools.findUnready(), ...models.findUnready(), ...channels.findUnready()],
    start: async () => {
      // Old messages stand in line before new ones, and old replies go out before any new one is made.
      for (const turn of await store.inbox.takeOver()) sessions.add(turn);
      await channels.start(accept);
      await delivery.recover();
      recovered.resolve();
      await toolsSettled;
      void models.offerLocalModels();
      void scripts.preload();
    },
    finished: ending.promise,
    drain: async () => {
      isStopping = true;
      pruning.stop();
      await channels.stopIntake();
      sessions.stop();
      await within(clock, turnGraceMs, sessions.idle());
      sessions.abort();
      givingUp.abort();
      await within(clock, 1_000, sessions.idle());
      await within(clock, deliveryGraceMs, delivery.idle());
      delivery.stop();
      await within(clock, 1_000, delivery.idle());
    },
    [Symbol.asyncDispose]: () => built.disposeAsync(),
  };
}

/** A setting that is to keep people out must not be ignored just because this version does not know how to obey it. */
function refuseUnenforced({ profiles }: Config): void {
  if (profiles.whoAmI.url === "") return;
  throw new ConfigError(
    "CONFIG_INVALID",
    "profiles.who_am_i is set, but this version cannot check who people are yet; without the check anybody would be let in. Remove profiles.who_am_i to start without it",
  );
}

/** Whether it was done within the limit. */
async function within(clock: Clock, limitMs: number, done: Promise<void>): Promise<boolean> {
  const patience = new AbortController();
  const isDone = await Promise.race([
    done.then(() => true),
    clock.sleep(limitMs, patience.signal).then(() => false),
  ]);
  patience.abort();
  return isDone;
}

function startPruning(prune: () => Promise<void>, clock: Clock, log: Log): { stop: () => void } {
  let cancel = (): void => undefined;
  const schedule = (): void => {
    cancel = clock.after(pruneIntervalMs, () => {
      prune().catch((error: unknown) =>
        log.warn({ err: error }, "old entries could not be pruned"),
      );
      schedule();
    });
  };
  schedule();
  return { stop: () => cancel() };
}
