import type { Clock } from "../base/clock.ts";
import { ConfigError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Config, Environment } from "../config/load-config.ts";
import { toActor } from "../domain/actor.ts";
import type { ModelReply } from "../domain/model.ts";
import type { Turn } from "../domain/turn.ts";
import { createLuaScripts } from "../hooks/lua/create-lua-scripts.ts";
import { listScripts } from "../hooks/lua/script-file.ts";
import { toScriptName, type CallScript } from "../hooks/run-script.ts";
import type { ModelCaller } from "../providers/calling/call-model.ts";
import { toQueryFeatures } from "../routing/learning/query-features.ts";
import type { Router } from "../routing/router.ts";
import type { KeyValueStore } from "../store/ports.ts";
import { createScriptStore } from "./script-store.ts";
import { createFetchedScripts } from "./lua/fetched-scripts.ts";
import { readLuaSettings } from "./lua/read-lua-settings.ts";

const maxStoredKeys = 10_000;

export interface AssembleScriptsOptions {
  readonly config: Config;
  readonly environment: Environment;
  readonly keyValue: KeyValueStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a turn's scripts work with. */
export interface ScriptTurn {
  readonly turn: Turn;
  readonly responseFormat: string;
  /** Models, on the account of the turn. */
  readonly callModel: ModelCaller;
  readonly router: Pick<Router, "resolve" | "rank">;
  /** Told of every reply that was paid for. */
  readonly onReply: (reply: ModelReply) => void;
  readonly signal: AbortSignal;
  readonly log: Log;
}

export interface Scripts extends AsyncDisposable {
  readonly callScript: (turn: ScriptTurn) => CallScript;
  /** Whether the script may have actions started. */
  readonly isTrusted: (script: string) => boolean;
  /** Resolves when the scripts of `lua.plugins` are there, have failed, or take too long to wait for. Never rejects. */
  readonly settled: Promise<void>;
  /** Starts the scripts that the configuration names. Never rejects. */
  readonly preload: () => Promise<void>;
}

/**
 * The scripts that the configuration names.
 * @throws ConfigError when one is not there; it lists those there are.
 */
export function assembleScripts(options: AssembleScriptsOptions): Scripts {
  const { config, environment, keyValue, clock, log } = options;
  const { lua } = config;
  const named = findNamedScripts(config);
  requireScripts(named, lua);
  const fetched = createFetchedScripts({ config, environment, clock, log });
  const scripts = createLuaScripts({
    directory: lua.scriptsDir,
    fetched,
    watch: lua.watch,
    ...readLuaSettings(config, environment),
    store: createScriptStore({ keyValue, maxKeys: maxStoredKeys, clock }),
    clock,
    log,
  });
  return {
    callScript:
      (scriptTurn) =>
      (script, stage, { content, metadata }) => {
        const { turn, responseFormat, signal, log: turnLog } = scriptTurn;
        const { message, sessionKey } = turn;
        const context = {
          message: content,
          session_id: sessionKey,
          actor: toActor(message),
          channel: message.channel,
          channel_kind: message.channelKind,
          response_format: responseFormat,
          metadata,
        };
        const askModel = toAskModel(scriptTurn, lua.defaultModel);
        return scripts.run(script, stage, context, { signal, askModel, log: turnLog });
      },
    isTrusted: (script) => lua.scripts[script]?.insecure === false,
    settled: fetched.settled,
    preload: async () => {
      await fetched.settled;
      await scripts.preload(named);
    },
    [Symbol.asyncDispose]: async () => {
      await fetched[Symbol.asyncDispose]();
      await scripts[Symbol.asyncDispose]();
    },
  };
}

function toAskModel(
  { turn, callModel, router, onReply }: ScriptTurn,
  defaultModel: string,
): (prompt: string, alias: string, signal: AbortSignal) => Promise<string> {
  return async (prompt, alias, signal) => {
    const name = alias === "" ? defaultModel : alias;
    const model = name === "" ? undefined : router.resolve(name);
    if (name !== "" && model === undefined) throw new RangeError(`there is no model "${name}"`);
    const route = router.rank({
      override: model?.name,
      pinnedModel: "",
      features: toQueryFeatures({ text: prompt, toolCount: 0, depth: 1 }),
    });
    const reply = await callModel({
      models: route.models,
      request: {
        system: "",
        messages: [{ role: "user", content: prompt }],
        tools: [],
        sessionKey: turn.sessionKey,
      },
      signal,
      onText: () => undefined,
      onReset: () => undefined,
      onModel: () => undefined,
    });
    onReply(reply);
    return reply.text;
  };
}

function findNamedScripts({ orchestrator, channels }: Config): readonly string[] {
  const { contentPreparers, responseFormatters } = orchestrator;
  const ofChannels = Object.values(channels).flatMap((channel) => channel.contentPreparers);
  const names = [...contentPreparers, ...ofChannels, ...responseFormatters].flatMap(
    ({ plugin }) => toScriptName(plugin) ?? [],
  );
  return [...new Set(names)];
}

function requireScripts(named: readonly string[], { scriptsDir, plugins }: Config["lua"]): void {
  const found = scriptsDir === "" ? [] : listScripts(scriptsDir);
  const known = new Set([...found, ...plugins.map(({ name }) => name)]);
  const missing = named.filter((name) => !known.has(name));
  if (missing.length === 0) return;
  const wanted = missing.map((name) => `lua:${name}`).join(", ");
  if (scriptsDir === "") {
    throw new ConfigError(
      "CONFIG_INVALID",
      `orchestrator names ${wanted}, but lua.scripts_dir is not set: set it to the directory with your scripts, or name them in lua.plugins`,
    );
  }
  const list = found.length === 0 ? "It holds no scripts." : `It holds: ${found.join(", ")}.`;
  throw new ConfigError(
    "CONFIG_INVALID",
    `orchestrator names ${wanted}, but there is no such file in lua.scripts_dir (${scriptsDir}). ${list}`,
  );
}
