import { fileURLToPath } from "node:url";
import type { Clock } from "../base/clock.ts";
import type { HttpRoute } from "../base/http-route.ts";
import type { Log } from "../base/log.ts";
import type { Config, Environment } from "../config/load-config.ts";
import { type Actor, toActor } from "../domain/actor.ts";
import type { Execution, PluginCall } from "../domain/plugin.ts";
import type { TranscriptMessage } from "../domain/session.ts";
import {
  metaPlugin,
  type Tool,
  type ToolCall,
  type ToolResult,
  toToolName,
} from "../domain/tool.ts";
import type { ToolDesk } from "../domain/tool-desk.ts";
import type { Turn } from "../domain/turn.ts";
import { type CheckConfirmation, createConfirmationCheck } from "../hooks/check-confirmation.ts";
import type { ChannelTools } from "../channels/tools/channel-tools.ts";
import { createPermissionCheck } from "../hooks/check-permission.ts";
import type { InvokeStep } from "../hooks/parse-preparer-result.ts";
import type { CallHookAction } from "../hooks/run-preparers.ts";
import { createPluginHost, type PluginHost } from "../plugins/plugin-host.ts";
import { pluginDatabaseProgram } from "../store/plugin-database-address.ts";
import type { PluginStateStore } from "../store/ports.ts";
import {
  type CheckedCall,
  createPerformCall,
  createToolCaller,
  type NestedCallEvent,
  type ToolCallerOptions,
} from "../tools/call-tool.ts";
import { createPluginWebRoute } from "../plugins/plugin-web-route.ts";
import { metaTools } from "../tools/catalogue/meta-tools.ts";
import type { CallOrigin } from "../tools/context-arguments.ts";
import { createCallbackRunner } from "../tools/run-callbacks.ts";
import { createToolRegistry } from "../tools/tool-registry.ts";
import type { SuspectCall, TripwireVerdict } from "../tools/tripwire.ts";
import { createToolDesk } from "./create-tool-desk.ts";
import { toPluginEntries } from "./plugin-entries.ts";
import { createPluginState } from "./plugin-state.ts";
import { createSourcePreparation } from "./prepare-sources.ts";
import { createTurnOffers, type TurnOffer } from "./turn-offers.ts";

export interface Tools extends AsyncDisposable {
  /** What plugins with `expose_http` offer at the HTTP door. */
  readonly routes: readonly HttpRoute[];
  /** Starts all plugins side by side; resolves when each is ready or has failed once. Never rejects. */
  readonly start: () => Promise<void>;
  /** Plugins that cannot be called right now, by name. */
  readonly findUnready: () => readonly string[];
  /** What a model may be told of in a turn that begins after `history`: every tool but those that are steps of the pipeline. */
  readonly offer: (history: readonly TranscriptMessage[]) => TurnOffer;
  /** How many tools that are. */
  readonly offeredCount: () => number;
  readonly promptAdditions: () => readonly { readonly plugin: string; readonly text: string }[];
  /** Whether the action a model means by `name` changes nothing. */
  readonly isReadOnly: (name: string) => boolean;
  /** Whether exactly this action changes nothing. */
  readonly isHookActionReadOnly: (step: Pick<InvokeStep, "plugin" | "action">) => boolean;
  /** Key below `plugins:` of the plugin that runs under this name, whose settings count; `undefined` when none does. */
  readonly configKeyOf: (pluginName: string) => string | undefined;
  /** One call of the turn's model, through every gate. */
  readonly callForModel: (
    turn: Turn,
    call: ToolCall,
    options: ModelCallOptions,
  ) => Promise<ToolResult>;
  /** Calls of hooks: the operator's own, which need no permission unless `options` say whom they act for. */
  readonly callHookAction: (
    turn: Turn,
    signal: AbortSignal,
    options?: HookCallOptions,
  ) => CallHookAction;
  /** Largest message a plugin can be sent, in bytes. */
  readonly maxMessageBytes: number;
  /** The same tools for programs outside. */
  readonly desk: ToolDesk;
  /** The plugins, for who looks at them from outside. */
  readonly plugins: Pick<PluginHost, "statuses" | "reload" | "recentLines">;
}

export interface HookCallOptions {
  /** The call is not a step of the operator's but acts for the person, who must be permitted to use the plugin. */
  readonly actsForPerson?: boolean | undefined;
  /** Most bytes of the arguments; what any plugin can take when absent. */
  readonly maxArgumentBytes?: number | undefined;
}

export interface ModelCallOptions {
  readonly nativeTools: boolean;
  /** Full names the model may call; all when absent. */
  readonly callable?: ReadonlySet<string> | undefined;
  readonly signal: AbortSignal;
  readonly tripwire?: ((call: SuspectCall, mustAsk: boolean) => TripwireVerdict) | undefined;
  /** Awaited right before the plugin is asked. */
  readonly onExecute: () => Promise<void>;
  /** Told of the calls plugins have made in the middle of this one. Must not throw. */
  readonly onNested?: ((event: NestedCallEvent) => void) | undefined;
}

export interface AssembleToolsOptions {
  readonly config: Config;
  readonly environment: Environment;
  readonly bundledPlugins: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Tools that come with channels; those of plugins go first. */
  readonly channelTools?: ChannelTools | undefined;
  /** What plugins keep; comes later than they start. They keep nothing when absent. */
  readonly pluginState?: Promise<PluginStateStore> | undefined;
  /** Headers that let plugins act in the name of the turn's person, by server name. */
  readonly credentialHeadersOf?: ((turn: Turn) => Execution["credentialHeaders"]) | undefined;
  /** Told of each call of a plugin that is over. */
  readonly onPluginCall?: ((call: PluginCall) => void) | undefined;
}

/** A plugin that has others do its work may take this long, unless the configuration says otherwise. */
const callbackTimeoutMs = 30 * 60_000;

/** Plugins, the registry over them, and the one way to call what they offer. */
export function assembleTools({
  config,
  environment,
  bundledPlugins,
  clock,
  log,
  channelTools,
  pluginState,
  credentialHeadersOf = () => undefined,
  onPluginCall,
}: AssembleToolsOptions): Tools {
  const steps = findPipelineSteps(config);
  const preparation = createSourcePreparation({
    purpose: "plugin",
    config,
    environment,
    clock,
    log,
  });
  const host = createPluginHost({
    entries: toPluginEntries({ config, bundledPlugins, prepare: preparation.prepare, log }),
    configuredKeys: Object.keys(config.plugins),
    environment,
    clock,
    log,
    stateDirectory: config.state.dataDir,
    migrationProgram: [process.execPath, fileURLToPath(pluginDatabaseProgram)],
    onChange: () => {
      offers.forget();
      desk.change();
    },
    onCall: onPluginCall,
  });
  const sources = [{ tools: () => metaTools }, host, ...(channelTools ? [channelTools] : [])];
  const registry = createToolRegistry({ sources, log });
  channelTools?.onChange(() => {
    offers.forget();
    desk.change();
  });
  const offers = createTurnOffers({
    registry,
    isOffered: (tool) => !steps.has(toToolName(tool)),
    maxTools: config.agent.maxTools,
  });
  const { permissionPlugin } = config.orchestrator;
  const confirmation = toConfirmation(config);
  const checkPermission = createPermissionCheck({ permissionPlugin, clock });

  const toolCalls: ToolCallerOptions = {
    registry: { ...registry, offered: offers.tools },
    execute: async (plugin, execution) => {
      if (plugin === metaPlugin) return offers.runMetaTool(execution);
      const isOfChannel =
        channelTools?.has({ plugin, ...execution }) === true && !hasTool(host, plugin, execution);
      return (isOfChannel ? channelTools : host).execute(plugin, execution);
    },
    clock,
    log,
    defaultTimeoutMs: config.agent.toolTimeoutMs,
    timeoutMsOf: ({ plugin, action }) =>
      findTimeoutMs(config, host.configKeyOf(plugin), action) ??
      (host.takesCallbacks(plugin) ? callbackTimeoutMs : undefined),
    maxResponseBytes: config.pluginSettings.tools.defaults.maxResponseBytes,
    permit: async ({ tool: { plugin }, context, signal }) => {
      const actsForPerson = context.fromModel || context.actsForPerson === true;
      const isOwn = plugin === permissionPlugin || plugin === metaPlugin;
      if (permissionPlugin === "" || !actsForPerson || isOwn) return { kind: "allowed" };
      // What it looks up to decide needs no permission of its own.
      const { asker, actsForPerson: _, ...origin } = context;
      if (asker !== undefined && asker.key === host.configKeyOf(permissionPlugin))
        return { kind: "allowed" };
      const ask: CallHookAction = (step, callId) => callOwn(step, callId, origin, signal);
      const allowed = await checkPermission({ actor: context.actor, plugin }, ask);
      return allowed ? { kind: "allowed" } : { kind: "refused", reason: "permission denied" };
    },
    ...(confirmation === undefined
      ? {}
      : {
          mustConfirm: ({ tool, context, signal }: CheckedCall) =>
            confirmation(tool, (step, callId) =>
              callOwn(step, callId, context, signal, { wantsStructured: true }),
            ),
        }),
    takeCallbacks: (call) =>
      host.takesCallbacks(call.tool.plugin) ? runCallbacks(call) : undefined,
  };
  const callTool = createToolCaller(toolCalls);
  const runCallbacks = createCallbackRunner({
    perform: createPerformCall(toolCalls),
    isTrusted: (key) => config.plugins[key]?.insecure === false,
    ownActions:
      pluginState === undefined
        ? {}
        : { _state: createPluginState({ store: pluginState, clock, log }) },
    clock,
    log,
  });
  const toOrigin = (turn: Turn): CallOrigin & { readonly actor: Actor } => ({
    actor: toActor(turn.message),
    sessionKey: turn.sessionKey,
    conversationId: turn.message.conversationId,
    lastUserMessageId: turn.message.platformMessageId,
    trace: turn.id,
    credentialHeaders: credentialHeadersOf(turn),
  });

  const desk = createToolDesk({
    callTool,
    specifications: () => {
      const specifications = offers.specifications();
      return new Map([...specifications].filter(([{ plugin }]) => plugin !== metaPlugin));
    },
  });

  const callOwn = (
    step: InvokeStep,
    callId: string,
    origin: CallOrigin,
    signal: AbortSignal,
    { actsForPerson, maxArgumentBytes, wantsStructured, onExecute }: OwnCallOptions = {},
  ): Promise<ToolResult> =>
    callTool({
      call: { id: callId, name: toToolName(step), arguments: step.arguments },
      // Whoever asked for the call this one is made about does not ask for this one.
      context: { ...origin, encoding: "native", fromModel: false, actsForPerson, asker: undefined },
      plugin: step.plugin,
      signal,
      maxArgumentBytes,
      wantsStructured,
      onExecute,
    });

  return {
    routes: Object.entries(config.plugins)
      .filter(([, { enabled, exposeHttp }]) => enabled && exposeHttp)
      .map(([key]) =>
        createPluginWebRoute({
          key,
          findAddress: () => host.webAddressOf(key),
          maxBodyBytes: maxWebBodyBytes,
          log,
        }),
      ),
    start: host.start,
    findUnready: () =>
      host
        .statuses()
        .filter(({ state }) => state !== "ready")
        .map(({ key, problem }) => `plugin ${key}${problem === "" ? "" : `: ${problem}`}`),
    offeredCount: offers.count,
    offer: offers.of,
    promptAdditions: host.promptAdditions,
    isReadOnly: (name) => {
      const found = registry.lookup(name);
      return found.kind === "found" && found.tool.readOnly;
    },
    isHookActionReadOnly: (step) => {
      const tool = registry.find(toToolName(step));
      return tool?.plugin === step.plugin && tool.readOnly;
    },
    configKeyOf: host.configKeyOf,
    callForModel: (turn, call, { nativeTools, callable, onNested, ...options }) =>
      callTool({
        call,
        context: {
          ...toOrigin(turn),
          encoding: nativeTools ? "native" : "text",
          fromModel: true,
          onNested,
          callable,
        },
        ...options,
      }),
    callHookAction: (turn, signal, options) => (step, callId, onExecute) =>
      callOwn(step, callId, toOrigin(turn), signal, { ...options, onExecute }),
    maxMessageBytes: host.maxMessageBytes,
    desk: desk.desk,
    plugins: host,
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]();
      await preparation[Symbol.asyncDispose]();
    },
  };
}

function hasTool(
  source: { readonly tools: () => readonly Tool[] },
  plugin: string,
  { action }: Pick<Execution, "action">,
): boolean {
  return source.tools().some((tool) => tool.plugin === plugin && tool.action === action);
}

/** Of a request that is passed on to a plugin's web server. */
const maxWebBodyBytes = 8_388_608;

interface OwnCallOptions extends HookCallOptions {
  readonly wantsStructured?: boolean | undefined;
  readonly onExecute?: (() => Promise<void>) | undefined;
}

/** The narrowest setting counts: of the action, of the plugin, of all; `undefined` when there is none. */
function findTimeoutMs(
  { plugins, pluginSettings: { tools } }: Config,
  key: string | undefined,
  action: Tool["action"],
): number | undefined {
  if (key === undefined) return tools.defaults.timeoutMs;
  const { [`${key}__${action}`]: ofAction, [key]: ofPlugin } = tools.overrides;
  return (
    ofAction?.timeoutMs ??
    ofPlugin?.timeoutMs ??
    plugins[key]?.timeoutMs ??
    tools.defaults.timeoutMs
  );
}

/** Who decides what a person must agree to; `undefined` when nothing has to be confirmed. */
function toConfirmation({ orchestrator: { pipeline } }: Config): CheckConfirmation | undefined {
  const { confirmationPlugin: plugin, confirmationAction: action } = pipeline;
  return plugin === "" || action === "" ? undefined : createConfirmationCheck({ plugin, action });
}

/** Names of the actions that run before or after the model, which the model itself has no business with. */
function findPipelineSteps({ orchestrator, channels }: Config): ReadonlySet<string> {
  const { contentPreparers, responseFormatters } = orchestrator;
  const ofChannels = Object.values(channels).flatMap((channel) => channel.contentPreparers);
  return new Set([...contentPreparers, ...ofChannels, ...responseFormatters].map(toToolName));
}
