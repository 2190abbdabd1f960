import type { ActionResult, AnyToolDefinition, CallContext } from "./define-tool.ts";
import { toParameters } from "./define-tool.ts";
import { parseArguments } from "./parse-arguments.ts";
import { createPluginState } from "./plugin-state.ts";

/** What goes back over the wire. */
export interface ActionOutcome {
  readonly content: string;
  readonly error: string;
  readonly structuredContent: string;
}

/** Runs one action of the plugin. Never rejects: whatever goes wrong is an error text for the model, without a stack. */
export async function runAction(
  definition: AnyToolDefinition,
  name: string,
  args: Readonly<Record<string, string>>,
  call: Omit<CallContext, "values" | "state">,
): Promise<ActionOutcome> {
  const action = Object.hasOwn(definition.actions, name) ? definition.actions[name] : undefined;
  if (action === undefined) {
    const known = Object.keys(definition.actions).join(", ");
    return toFailure(
      `the plugin "${definition.name}" has no action "${name.slice(0, 100)}"; it has: ${known}`,
    );
  }
  try {
    const values = pick(args, action.contextArguments ?? []);
    const context = { ...call, values, state: createPluginState(call.call) };
    const parsed =
      action.parse === undefined
        ? parseArguments(toParameters(action.parameters), args)
        : ((await action.parse(args)) as Readonly<Record<string, unknown>>);
    return toOutcome(await action.run(parsed, context));
  } catch (error) {
    return toFailure(error instanceof Error ? error.message : String(error));
  }
}

function toOutcome(result: ActionResult): ActionOutcome {
  if (typeof result === "string") return { content: result, error: "", structuredContent: "" };
  if (typeof result?.content !== "string")
    return toFailure("the action gave neither text nor { content }");
  const { content, structured } = result;
  return {
    content,
    error: "",
    structuredContent: structured === undefined ? "" : JSON.stringify(structured),
  };
}

function toFailure(message: string): ActionOutcome {
  return {
    content: "",
    error: message === "" ? "the action failed and did not say why" : message,
    structuredContent: "",
  };
}

function pick(
  args: Readonly<Record<string, string>>,
  names: readonly string[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.flatMap((name) => (Object.hasOwn(args, name) ? [[name, args[name] ?? ""]] : [])),
  );
}
