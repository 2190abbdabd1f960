import { fileURLToPath } from "node:url";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Config, Environment } from "../config/load-config.ts";
import { type Actor, toActor } from "../domain/actor.ts";
import type { ToolSpecification } from "../domain/model.ts";
import { type Tool, type ToolCall, type ToolResult, toToolName } from "../domain/tool.ts";
import type { Turn } from "../domain/turn.ts";
import { createPermissionCheck } from "../hooks/check-permission.ts";
import type { InvokeStep } from "../hooks/parse-preparer-result.ts";
import type { CallHookAction } from "../hooks/run-preparers.ts";
import { createPluginHost } from "../plugins/plugin-host.ts";
import type { Execution } from "../domain/plugin.ts";
import { pluginDatabaseProgram } from "../store/plugin-database-address.ts";
import type { PluginStateStore } from "../store/ports.ts";
import {
  createPerformCall,
  createToolCaller,
  type GateVerdict,
  type NestedCallEvent,
  type ToolCallerOptions,
} from "../tools/call-tool.ts";
import type { CallOrigin } from "../tools/context-arguments.ts";
import { createCallbackRunner } from "../tools/run-callbacks.ts";
import { createToolRegistry, type ToolRegistry } from "../tools/tool-registry.ts";
import type { SuspectCall, TripwireVerdict } from "../tools/tripwire.ts";
import { toToolSpecification } from "../tools/tool-specification.ts";
import { toPluginEntries } from "./plugin-entries.ts";
import { createPluginState } from "./plugin-state.ts";

export interface Tools extends AsyncDisposable {
  /** Starts all plugins side by side; resolves when each is ready or has failed once. Never rejects. */
  readonly start: () => Promise<void>;
  /** Plugins that cannot be called right now, by name. */
  readonly findUnready: () => readonly string[];
  /** What the model is told of: every tool but those that are steps of the pipeline. */
  readonly offered: () => readonly ToolSpecification[];
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
}

export interface HookCallOptions {
  /** The call is not a step of the operator's but acts for the person, who must be permitted to use the plugin. */
  readonly actsForPerson?: boolean | undefined;
  /** Most bytes of the arguments; what any plugin can take when absent. */
  readonly maxArgumentBytes?: number | undefined;
}

export interface ModelCallOptions {
  readonly nativeTools: boolean;
  readonly signal: AbortSignal;
  readonly tripwire?: ((call: SuspectCall) => TripwireVerdict) | undefined;
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
  /** What plugins keep; comes later than they start. They keep nothing when absent. */
  readonly pluginState?: Promise<PluginStateStore> | undefined;
  /** Headers that let plugins act in the name of the turn's person, by server name. */
  readonly credentialHeadersOf?: ((turn: Turn) => Execution["credentialHeaders"]) | undefined;
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
  pluginState,
  credentialHeadersOf = () => undefined,
}: AssembleToolsOptions): Tools {
  const steps = findPipelineSteps(config);
  let offered: readonly ToolSpecification[] | undefined;
  const host = createPluginHost({
    entries: toPluginEntries({ config, bundledPlugins, log }),
    configuredKeys: Object.keys(config.plugins),
    environment,
    clock,
    log,
    stateDirectory: config.state.dataDir,
    migrationProgram: [process.execPath, fileURLToPath(pluginDatabaseProgram)],
    onChange: () => (offered = undefined),
  });
  const registry = createToolRegistry({ sources: [host], log });
  const findOffered: ToolRegistry["offered"] = (plugins) =>
    registry.offered(plugins).filter((tool) => !steps.has(toToolName(tool)));
  const { permissionPlugin } = config.orchestrator;
  const checkPermission = createPermissionCheck({ permissionPlugin, clock });

  const toolCalls: ToolCallerOptions = {
    registry: { ...registry, offered: findOffered },
    execute: host.execute,
    clock,
    log,
    defaultTimeoutMs: config.agent.toolTimeoutMs,
    timeoutMsOf: ({ plugin, action }) =>
      findTimeoutMs(config, host.configKeyOf(plugin), action) ??
      (host.takesCallbacks(plugin) ? callbackTimeoutMs : undefined),
    maxResponseBytes: config.pluginSettings.tools.defaults.maxResponseBytes,
    permit: async ({ tool: { plugin }, context, signal }) => {
      const actsForPerson = context.fromModel || context.actsForPerson === true;
      if (permissionPlugin === "" || !actsForPerson || plugin === permissionPlugin)
        return { kind: "allowed" };
      // What it looks up to decide needs no permission of its own.
      const { asker, actsForPerson: _, ...origin } = context;
      if (asker !== undefined && asker.key === host.configKeyOf(permissionPlugin))
        return { kind: "allowed" };
      const ask: CallHookAction = (step, callId) => callOwn(step, callId, origin, signal);
      const allowed = await checkPermission({ actor: context.actor, plugin }, ask);
      return allowed ? { kind: "allowed" } : { kind: "refused", reason: "permission denied" };
    },
    ...(asksForConfirmation(config) ? { confirm: refuseUnconfirmed } : {}),
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

  const callOwn = (
    step: InvokeStep,
    callId: string,
    origin: CallOrigin,
    signal: AbortSignal,
    { actsForPerson, maxArgumentBytes, onExecute }: OwnCallOptions = {},
  ): Promise<ToolResult> =>
    callTool({
      call: { id: callId, name: toToolName(step), arguments: step.arguments },
      context: { ...origin, encoding: "native", fromModel: false, actsForPerson },
      plugin: step.plugin,
      signal,
      maxArgumentBytes,
      onExecute,
    });

  return {
    start: host.start,
    findUnready: () =>
      host
        .statuses()
        .filter(({ state }) => state !== "ready")
        .map(({ key, problem }) => `plugin ${key}${problem === "" ? "" : `: ${problem}`}`),
    offered: () => {
      offered ??= findOffered().flatMap((tool) => toToolSpecification(tool) ?? []);
      return offered;
    },
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
    callForModel: (turn, call, { nativeTools, onNested, ...options }) =>
      callTool({
        call,
        context: {
          ...toOrigin(turn),
          encoding: nativeTools ? "native" : "text",
          fromModel: true,
          onNested,
        },
        ...options,
      }),
    callHookAction: (turn, signal, options) => (step, callId, onExecute) =>
      callOwn(step, callId, toOrigin(turn), signal, { ...options, onExecute }),
    maxMessageBytes: host.maxMessageBytes,
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

interface OwnCallOptions extends HookCallOptions {
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

function asksForConfirmation({ orchestrator: { pipeline } }: Config): boolean {
  return pipeline.confirmationPlugin !== "" && pipeline.confirmationAction !== "";
}

/** Asking the person is not there yet; until it is, what must be confirmed is not done. */
function refuseUnconfirmed(): Promise<GateVerdict> {
  return Promise.resolve({
    kind: "refused",
    reason: "orchestrator.pipeline asks for a confirmation, which this version cannot obtain yet",
  });
}

/** Names of the actions that run before or after the model, which the model itself has no business with. */
function findPipelineSteps({ orchestrator, channels }: Config): ReadonlySet<string> {
  const { contentPreparers, responseFormatters } = orchestrator;
  const ofChannels = Object.values(channels).flatMap((channel) => channel.contentPreparers);
  return new Set([...contentPreparers, ...ofChannels, ...responseFormatters].map(toToolName));
}
