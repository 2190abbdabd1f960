import type { TranscriptMessage } from "../domain/session.ts";
import type { ToolCall } from "../domain/tool.ts";
import { toStorableText } from "./storable-text.ts";

/** A message of a conversation in the columns of `messages`. */
export interface TranscriptRow {
  readonly role: string;
  readonly content: string;
  readonly tool_calls: string | null;
  readonly tool_call_id: string | null;
  readonly metadata: string | null;
}

export function toTranscriptRow(message: TranscriptMessage): TranscriptRow {
  const content = toStorableText(message.content);
  switch (message.role) {
    case "user":
      return { role: "user", content, tool_calls: "[]", tool_call_id: "", metadata: "{}" };
    case "assistant":
      return {
        role: "assistant",
        content,
        tool_calls: toJson(message.toolCalls),
        tool_call_id: "",
        metadata: "{}",
      };
    case "tool": {
      const { tool, isError, callId } = message;
      // The column serves other readers; ours takes the identifier from the metadata, which keeps it exactly.
      const metadata = JSON.stringify({ tool, is_error: isError, call_id: callId });
      return {
        role: "tool",
        content,
        tool_calls: "[]",
        tool_call_id: toStorableText(callId),
        metadata,
      };
    }
  }
}

/** `undefined` for a row that is no part of a conversation. Rows of the Go program may lack what ours have. */
export function fromTranscriptRow(row: TranscriptRow): TranscriptMessage | undefined {
  const { role, content } = row;
  switch (role) {
    case "user":
      return { role, content };
    case "assistant":
      return { role, content, toolCalls: fromJson(row.tool_calls) };
    case "tool": {
      const metadata = parse(row.metadata) as {
        tool?: unknown;
        is_error?: unknown;
        call_id?: unknown;
      } | null;
      const callId = toText(metadata?.call_id) || (row.tool_call_id ?? "");
      return {
        role,
        callId,
        tool: toText(metadata?.tool),
        content,
        isError: metadata?.is_error === true,
      };
    }
    default:
      return undefined;
  }
}

function toJson(calls: readonly ToolCall[]): string {
  return JSON.stringify(
    calls.map(({ id, name, arguments: values, invalidArguments }) => {
      return { id, name, arguments: values, invalid_arguments: invalidArguments };
    }),
  );
}

function fromJson(text: string | null): readonly ToolCall[] {
  const list = parse(text);
  if (!Array.isArray(list)) return [];
  return (list as Readonly<Record<string, unknown>>[]).map((call) => {
    const invalidArguments = call["invalid_arguments"];
    return {
      id: toText(call["id"]),
      name: toText(call["name"]) || toolName(toText(call["plugin"]), toText(call["action"])),
      arguments: toObject(call["arguments"] ?? call["args"]),
      ...(typeof invalidArguments === "string" ? { invalidArguments } : {}),
    };
  });
}

function toolName(plugin: string, action: string): string {
  return plugin === "" ? action : `${plugin}__${action}`;
}

function toText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function toObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function parse(text: string | null): unknown {
  // What almost every row holds costs no parsing.
  if (text === null || text === "" || text === "[]" || text === "{}") return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
