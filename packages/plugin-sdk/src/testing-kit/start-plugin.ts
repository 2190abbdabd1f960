import { randomUUID } from "node:crypto";
import type { pluginMessages as messages } from "@opentalon/protocol";
import { createGrpcPeer } from "./grpc-peer.ts";
import { detectWire } from "./detect-wire.ts";
import { createJsonPeer } from "./json-peer.ts";
import type { StartedProcess, StartOptions } from "./launch.ts";
import { introductionMs, launchPlugin, toPluginError, toStartedProcess } from "./launch.ts";
import { isUnimplemented } from "./reply.ts";
import { toArgumentTexts } from "./argument-texts.ts";
import type { WireResult } from "./tool-peer.ts";

/** What an action answers: text, or text and the same for programs. */
export type CallbackAnswer = string | { readonly content: string; readonly structured?: unknown };

/** An action of another plugin, wanted by the one under test. */
export interface CallbackCall {
  readonly plugin: string;
  readonly action: string;
  readonly args: Readonly<Record<string, string>>;
}

export interface StartPluginOptions extends StartOptions {
  /**
   * Actions of other plugins the one under test may call, by `<plugin>__<action>`; `*` answers what has no function of its
   * own. What a function throws is told to the plugin as a failure of that action.
   */
  readonly callbacks?:
    | Readonly<Record<string, (call: CallbackCall) => CallbackAnswer | Promise<CallbackAnswer>>>
    | undefined;
  /** Name of the plugin for one that reports none; `plugin` unless given. */
  readonly key?: string | undefined;
}

export interface CallOptions {
  /** 30,000 milliseconds unless given. */
  readonly timeoutMs?: number;
  /** Gives the call up, as a host does when nobody waits any more. */
  readonly signal?: AbortSignal;
  /** What the host adds by itself: values of `contextArguments`, such as `entity_id`. */
  readonly context?: Readonly<Record<string, string>>;
  readonly credentialHeaders?: Readonly<
    Record<string, { readonly header: string; readonly value: string }>
  >;
}

/** What an action gave. */
export interface CallResult {
  /** Text for the model; empty when it failed. */
  readonly content: string;
  /** Why it failed; `undefined` when it did not. */
  readonly error: string | undefined;
  /** The answer for programs, out of its JSON; `undefined` when there is none. */
  readonly structured: unknown;
}

/** What the plugin said of itself. */
export interface ReportedPlugin {
  readonly name: string;
  readonly description: string;
  readonly systemPromptAddition: string;
  readonly supportsCallbacks: boolean;
  readonly actions: readonly ReportedAction[];
}

export interface ReportedAction {
  readonly name: string;
  readonly description: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly description: string;
    readonly type: string;
    readonly required: boolean;
    /** JSON Schema as text, or empty. */
    readonly schema: string;
  }[];
  readonly userOnly: boolean;
  readonly readOnly: boolean;
  readonly alwaysInclude: boolean;
  readonly contextArguments: readonly string[];
}

export interface StartedPlugin extends StartedProcess {
  readonly capabilities: ReportedPlugin;
  /**
   * Runs an action as the host does. `args` are values by name; they travel as texts, objects and lists as JSON. A failing
   * action is a result with `error`.
   * @throws Error when there is no result: the call took too long or was cancelled, the plugin ended, or it broke the rules.
   */
  readonly call: (
    action: string,
    args?: Readonly<Record<string, unknown>>,
    options?: CallOptions,
  ) => Promise<CallResult>;
}

const defaultCallTimeoutMs = 30_000;

/**
 * Starts a real tool plugin, in whatever language, the way OpenTalon does: few variables, a temporary folder and a working
 * directory of its own, handshake, Init, Capabilities. Works in every test runner.
 *
 * @throws Error when it does not start, refuses `config` or does not introduce itself within five seconds, with the last
 *   lines it wrote to standard error. Nothing of it is left then.
 * @example
 * await using notes = await startPlugin({
 *   command: [process.execPath, "examples/02-tool-plugin/main.ts"],
 *   config: { max_notes: 2 },
 * });
 * const context = { entity_id: "console:ada" };
 * await notes.call("add", { text: "Water the plants" }, { context });
 * assert.equal((await notes.call("list", {}, { context })).content, "1. Water the plants");
 */
export async function startPlugin(options: StartPluginOptions): Promise<StartedPlugin> {
  const { process, address } = await launchPlugin(options);
  const fail = async (problem: string): Promise<never> => {
    await process.stop(0);
    throw toPluginError(process, problem);
  };
  const wire = await detectWire(address, introductionMs);
  if (wire === undefined) return fail("speaks neither gRPC nor length-prefixed JSON on its socket");
  const peer = wire === "grpc" ? createGrpcPeer(address) : createJsonPeer(address);
  const started = toStartedProcess(process, peer.close);

  const patience = { timeoutMs: introductionMs };
  const init = await peer.init(JSON.stringify(options.config ?? {}), patience);
  if (init.kind !== "reply" && !isUnimplemented(init)) {
    peer.close();
    return fail(`${init.words} (Init)`);
  }
  const told = await peer.capabilities(patience);
  if (told.kind !== "reply") {
    peer.close();
    return fail(`${told.words} (Capabilities)`);
  }
  const capabilities = toReported(told.value, options.key ?? "plugin");
  return {
    ...started,
    capabilities,
    call: async (action, args = {}, call = {}) => {
      const { timeoutMs = defaultCallTimeoutMs, signal, context = {} } = call;
      const id = randomUUID();
      const ask = capabilities.supportsCallbacks ? peer.callBidi : peer.call;
      const reply = await ask({
        id,
        plugin: capabilities.name,
        action,
        args: { ...toArgumentTexts(args), ...context },
        timeoutMs,
        signal,
        credentialHeaders: call.credentialHeaders ?? {},
        onCallback: (request) => answerCallback(options.callbacks ?? {}, request),
      });
      if (reply.kind !== "reply") throw toPluginError(process, `${reply.words} (action ${action})`);
      const { callId, content, error, structuredContent } = reply.value;
      if (callId !== id && (callId !== "" || error === "")) {
        throw toPluginError(process, `answered another call than "${action}" by its \`call_id\``);
      }
      return {
        content,
        error: error === "" ? undefined : error,
        structured: structuredContent === "" ? undefined : parse(structuredContent),
      };
    },
  };
}

function toReported(told: messages.PluginCapabilities, key: string): ReportedPlugin {
  const { name, description, systemPromptAddition, supportsCallbacks } = told;
  return {
    name: name === "" ? key : name,
    description,
    systemPromptAddition,
    supportsCallbacks,
    actions: told.actions.map((action) => ({
      name: action.name,
      description: action.description,
      parameters: action.parameters.map((parameter) => ({
        name: parameter.name,
        description: parameter.description,
        type: parameter.type,
        required: parameter.required,
        schema: parameter.schema,
      })),
      userOnly: action.userOnly,
      readOnly: action.readOnly,
      alwaysInclude: action.alwaysInclude,
      contextArguments: action.injectContextArgs,
    })),
  };
}

async function answerCallback(
  callbacks: NonNullable<StartPluginOptions["callbacks"]>,
  { plugin, action, args }: messages.CallbackRequest,
): Promise<WireResult> {
  const name = `${plugin}__${action}`;
  const answer = Object.hasOwn(callbacks, name) ? callbacks[name] : callbacks["*"];
  try {
    if (answer === undefined) throw new Error("the test has no callback of this name");
    const given = await answer({ plugin, action, args });
    const { content, structured } =
      typeof given === "string" ? { content: given, structured: undefined } : given;
    const structuredContent = structured === undefined ? "" : JSON.stringify(structured);
    return { content, error: "", structuredContent };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return { content: "", error: `${name}: ${words}`, structuredContent: "" };
  }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new Error("the plugin's structured content is no JSON", { cause: error });
  }
}
