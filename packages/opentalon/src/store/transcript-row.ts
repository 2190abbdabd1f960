import type { TranscriptMessage } from "../domain/session.ts";
import type { CallConsent, ToolCall } from "../domain/tool.ts";
import { toStorableText } from "./storable-text.ts";
import {
  readFileList,
  type StoredFile,
  toFileBytes,
  toFileList,
  toTranscriptFiles,
} from "./transcript-files.ts";

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
    case "user": {
      const { files = [] } = message;
      const metadata = files.length === 0 ? "{}" : JSON.stringify({ files: toFileList(files) });
      return { role: "user", content, tool_calls: "[]", tool_call_id: "", metadata };
    }
    case "assistant":
      return {
        role: "assistant",
        content,
        tool_calls: toJson(message.toolCalls),
        tool_call_id: "",
        metadata: "{}",
      };
    case "tool": {
      const { tool, isError, callId, consent } = message;
      // The column serves other readers; ours takes the identifier from the metadata, which keeps it exactly.
      const metadata = JSON.stringify({ tool, is_error: isError, call_id: callId, consent });
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

/** Bytes of the files that stand in a message's metadata. */
export function toFilesColumn(message: TranscriptMessage): Uint8Array | null {
  return message.role === "user" && message.files !== undefined ? toFileBytes(message.files) : null;
}

/** The files of a row, read from its metadata alone. */
export function readStoredFiles({
  role,
  metadata,
}: Pick<TranscriptRow, "role" | "metadata">): readonly StoredFile[] {
  if (role !== "user") return [];
  return readFileList((parse(metadata) as { files?: unknown } | null)?.files);
}

/**
 * `undefined` for a row that is no part of a conversation. Rows of the Go program may lack what ours have. Without
 * `fileBytes` only the names of files are left.
 */
export function fromTranscriptRow(
  row: TranscriptRow,
  fileBytes?: Uint8Array,
): TranscriptMessage | undefined {
  const { role, content } = row;
  switch (role) {
    case "user": {
      const files = readStoredFiles(row);
      if (files.length === 0) return { role, content };
      return { role, content, files: toTranscriptFiles(files, fileBytes) };
    }
    case "assistant":
      return { role, content, toolCalls: fromJson(row.tool_calls) };
    case "tool": {
      const metadata = parse(row.metadata) as {
        tool?: unknown;
        is_error?: unknown;
        call_id?: unknown;
        consent?: unknown;
      } | null;
      const callId = toText(metadata?.call_id) || (row.tool_call_id ?? "");
      return {
        role,
        callId,
        tool: toText(metadata?.tool),
        content,
        isError: metadata?.is_error === true,
        ...readConsent(metadata?.consent),
      };
    }
    default:
      return undefined;
  }
}

function readConsent(value: unknown): { readonly consent?: CallConsent } {
  const { state, actor, call, why } = toObject(value);
  if ((state !== "awaited" && state !== "given") || typeof actor !== "string") return {};
  if (typeof call !== "string") return {};
  return {
    consent: { state, actor, call, ...(why === "confirmation" ? { why } : {}) },
  };
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
