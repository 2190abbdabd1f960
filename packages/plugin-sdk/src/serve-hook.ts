import type {
  GuardVerdict,
  HookContext,
  HookDefinition,
  InvokeStep,
  PrepareVerdict,
} from "./define-hook.ts";
import type { ActionDefinition, CallContext, ParameterDefinitions } from "./define-tool.ts";
import { serveTool } from "./serve-tool.ts";

/**
 * Makes this program a hook plugin: rules of yours that run before and after the model, without one. It lives like a
 * tool plugin, see `serveTool`; its actions are never offered to models.
 *
 * @throws Error when the definition cannot work (a name no host takes, no function) or no socket can be made.
 * @example
 * await serveHook({
 *   name: "house-rules",
 *   description: "The rules of the house",
 *   prepare: ({ text }) => (/salary/i.test(text) ? { refuse: "Please ask HR." } : text),
 *   format: ({ text }) => text.replaceAll("ACME Corp", "Acme"),
 *   check: ({ actor, plugin }) => plugin !== "payments" || actor === "slack:U0BOSS",
 * });
 */
export async function serveHook(hook: HookDefinition): Promise<void> {
  const { name, description, onConfigure } = hook;
  await serveTool({
    name,
    description,
    ...(onConfigure === undefined ? {} : { onConfigure }),
    actions: toActions(hook),
  });
}

const contextArguments = ["entity_id", "session_id", "conversation_id"];

function toActions(hook: HookDefinition): Record<string, ActionDefinition> {
  const { prepare, guard, format, check, transcribe } = hook;
  const actions: Record<string, ActionDefinition> = {};
  if (prepare !== undefined) {
    actions["prepare"] = toAction("Sees each message before a model does", prepareParameters, {
      run: async (text, context) => {
        const message = { text: text("text"), searchText: text("search_text") || text("text") };
        return toAnswer(await prepare(message, context));
      },
    });
  }
  if (guard !== undefined) {
    actions["guard"] = toAction("Sees what a model is about to be told", textParameter, {
      run: async (text, context) => toAnswer(await guard(text("text"), context)),
    });
  }
  if (format !== undefined) {
    actions["format"] = toAction("Sees a model's answer first", formatParameters, {
      run: async (text, context) => {
        const answer = { text: text("text"), responseFormat: text("response_format") };
        return toText(await format(answer, context), "format");
      },
    });
  }
  if (check !== undefined) {
    actions["check"] = toAction("Says who may use which plugin", checkParameters, {
      run: async (text) => {
        const allowed: unknown = await check({ actor: text("actor"), plugin: text("plugin") });
        return allowed === true ? "true" : "false";
      },
    });
  }
  if (transcribe !== undefined) {
    actions["transcribe"] = toAction("Turns a sound into text", soundParameters, {
      run: async (text, context) => {
        const data = Buffer.from(text("file_data"), "base64");
        const sound = { data, mimeType: text("file_mime") };
        return toText(await transcribe(sound, context), "transcribe");
      },
    });
  }
  return actions;
}

const textParameter = { text: "What is looked at" };
const optional = (description: string) => ({ description, required: false }) as const;
const prepareParameters = { ...textParameter, search_text: optional("With what was said before") };
const formatParameters = { ...textParameter, response_format: optional("What the channel shows") };
const checkParameters = { actor: "The person", plugin: "What they are about to use" };
const soundParameters = { file_data: "The file in base64", file_mime: "Its type" };

type ReadText = (name: string) => string;

interface HookAction {
  readonly run: (text: ReadText, context: HookContext) => Promise<string>;
}

function toAction(
  description: string,
  parameters: ParameterDefinitions,
  { run }: HookAction,
): ActionDefinition {
  return {
    description,
    parameters,
    // A step of the operator's, which no model has any business with.
    userOnly: true,
    readOnly: true,
    contextArguments,
    run: (values, call) => {
      const read: ReadText = (name) => {
        const value = values[name];
        return typeof value === "string" ? value : "";
      };
      return run(read, toContext(call));
    },
  };
}

function toContext({ values, signal }: CallContext): HookContext {
  return {
    actor: values["entity_id"] ?? "",
    sessionId: values["session_id"] ?? "",
    conversationId: values["conversation_id"] ?? "",
    signal,
  };
}

/** Always as JSON: a person's own text may look like a verdict, and must not be taken for one. */
function toAnswer(verdict: PrepareVerdict | GuardVerdict): string {
  if (typeof verdict === "string") return JSON.stringify({ message: verdict });
  const { refuse, invoke } = verdict as { refuse?: unknown; invoke?: readonly InvokeStep[] };
  if (typeof refuse === "string") return JSON.stringify({ send_to_llm: false, message: refuse });
  if (Array.isArray(invoke) && invoke.length > 0)
    return JSON.stringify({ send_to_llm: false, invoke });
  throw new Error("the hook gave neither a text nor { refuse } nor { invoke }");
}

function toText(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw new Error(`${name} gave no text`);
}
