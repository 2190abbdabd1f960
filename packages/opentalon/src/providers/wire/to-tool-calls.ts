import { parsePlainJson } from "../../base/plain-json.ts";
import type { ModelRequest } from "../../domain/model.ts";
import type { ToolCall } from "../../domain/tool.ts";
import { isRecord } from "./classify-failure.ts";

/** A tool call as it came from a provider, its arguments still text. */
export interface RawToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** The calls of a reply to `request`, their identifiers new to the conversation, their arguments read. */
export function toToolCalls(calls: readonly RawToolCall[], request: ModelRequest): ToolCall[] {
  if (calls.length === 0) return [];
  const createCallId = createCallIds(request);
  return calls.map((call) => {
    const id = createCallId(call.id);
    const input = parseArguments(call.arguments);
    if (input !== undefined) return { id, name: call.name, arguments: input };
    return { id, name: call.name, arguments: {}, invalidArguments: call.arguments };
  });
}

/** An earlier call's name in a form that every provider takes; one bad name would spoil the whole conversation. */
export function toValidToolName(name: string): string {
  const valid = name.replaceAll(/[^\w-]/g, "_").slice(0, 64);
  return valid === "" ? "unknown" : valid;
}

/** An earlier call's arguments as an object, whatever the model once wrote. */
export function toValidArguments(call: ToolCall): Readonly<Record<string, unknown>> {
  return call.invalidArguments === undefined
    ? call.arguments
    : { invalid_arguments: call.invalidArguments.toWellFormed() };
}

function parseArguments(text: string): Readonly<Record<string, unknown>> | undefined {
  if (text.trim() === "") return {};
  try {
    const value = parsePlainJson(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Longer ones are refused by some providers, others by most, and a conversation may go on with another provider. */
const usableId = /^[\x21-\x7e]{1,40}$/;

/** Keeps the provider's identifier where it is usable and new to the conversation, else gives `call-N`. */
function createCallIds({ messages }: ModelRequest): (id: string) => string {
  const used = new Set<string>();
  for (const message of messages) {
    if (message.role === "assistant") for (const call of message.toolCalls) used.add(call.id);
  }
  let number = 0;
  return (id) => {
    let result = id;
    while (!usableId.test(result) || used.has(result)) {
      number += 1;
      result = `call-${number}`;
    }
    used.add(result);
    return result;
  };
}
