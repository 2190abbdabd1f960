import type {
  JSONValue,
  LanguageModelV4FunctionTool,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4ToolResultPart,
  SharedV4ProviderOptions,
} from "@ai-sdk/provider";
import type { Model, ModelRequest } from "../../domain/model.ts";
import type { TranscriptMessage } from "../../domain/session.ts";
import type { ThoughtMemory, ThoughtRecord } from "./thought-memory.ts";
import { forgetOlderFiles, toModelContent, type ModelContent } from "../wire/to-model-content.ts";
import { toValidArguments, toValidToolName } from "../wire/to-tool-calls.ts";

export interface SdkPromptOptions {
  readonly model: Model;
  readonly request: ModelRequest;
  readonly thoughts: ThoughtMemory;
  /** Goes with the system prompt, the tools and the last message, up to which a provider may cache. */
  readonly cacheMark?: SharedV4ProviderOptions | undefined;
}

export interface SdkPrompt {
  readonly prompt: LanguageModelV4Prompt;
  /** Whether the tool calls being answered are there with what the model thought before them. */
  readonly hasThoughts: boolean;
}

/** A request in the form that all SDKs share. */
export function toSdkPrompt({ model, request, thoughts, cacheMark }: SdkPromptOptions): SdkPrompt {
  const marked = cacheMark === undefined ? {} : { providerOptions: cacheMark };
  const { system, sessionKey } = request;
  const messages = forgetOlderFiles(request.messages, model);
  const roundStart = messages.findLastIndex(({ role }) => role === "user");
  const toCallId = createCallIdForm();
  let hasThoughts = true;
  const prompt: LanguageModelV4Message[] = [];
  if (system !== "") prompt.push({ role: "system", content: system.toWellFormed(), ...marked });
  let results: LanguageModelV4ToolResultPart[] = [];
  for (const [index, message] of messages.entries()) {
    if (message.role === "tool") {
      // The results of one round belong into one message: some providers count them.
      if (results.length === 0) prompt.push({ role: "tool", content: results });
      results.push(toResultPart(message, toCallId));
      continue;
    }
    results = [];
    if (message.role === "user") {
      prompt.push({ role: "user", content: toUserParts(toModelContent(message, model)) });
      continue;
    }
    const [call] = message.toolCalls;
    const record = call === undefined ? undefined : thoughts.find(sessionKey, model.name, call.id);
    if (call !== undefined && index > roundStart && (record?.thoughts.length ?? 0) === 0)
      hasThoughts = false;
    const assistant = toAssistantMessage(message, record, toCallId);
    if (assistant.content.length > 0) prompt.push(assistant);
  }
  const last = prompt.at(-1);
  if (last !== undefined && last.role !== "system")
    prompt[prompt.length - 1] = { ...last, ...marked };
  return { prompt, hasThoughts };
}

type UserPart = Extract<LanguageModelV4Message, { readonly role: "user" }>["content"][number];

/** Some providers refuse a document without a word. */
function toUserParts(pieces: readonly ModelContent[]): UserPart[] {
  const isWordless = pieces.every(({ kind }) => kind !== "text");
  const parts = pieces.map(toUserPart);
  return isWordless && pieces.some(({ kind }) => kind === "pdf")
    ? [...parts, { type: "text", text: "(no words, only files)" }]
    : parts;
}

function toUserPart(piece: ModelContent): UserPart {
  // An empty text is refused by several providers.
  if (piece.kind === "text") return { type: "text", text: piece.text || "(empty message)" };
  const { mimeType, name, base64 } = piece;
  return {
    type: "file",
    mediaType: mimeType,
    filename: name,
    data: { type: "data", data: base64 },
  };
}

type AssistantMessage = Extract<LanguageModelV4Message, { readonly role: "assistant" }>;

function toAssistantMessage(
  message: Extract<TranscriptMessage, { readonly role: "assistant" }>,
  record: ThoughtRecord | undefined,
  toCallId: CallIdForm,
): AssistantMessage {
  const content: AssistantMessage["content"] = [];
  for (const { text, metadata } of record?.thoughts ?? [])
    content.push({ type: "reasoning", text, ...toOptions(metadata) });
  const text = message.content.toWellFormed();
  if (text.trim() !== "") content.push({ type: "text", text });
  for (const [index, call] of message.toolCalls.entries()) {
    content.push({
      type: "tool-call",
      toolCallId: toCallId(call.id),
      toolName: toValidToolName(call.name),
      input: toValidArguments(call),
      ...toOptions(record?.callMetadata[index]),
    });
  }
  return { role: "assistant", content };
}

function toOptions(metadata: SharedV4ProviderOptions | undefined): {
  providerOptions?: SharedV4ProviderOptions;
} {
  return metadata === undefined ? {} : { providerOptions: metadata };
}

function toResultPart(
  { callId, tool, content, isError }: Extract<TranscriptMessage, { readonly role: "tool" }>,
  toCallId: CallIdForm,
): LanguageModelV4ToolResultPart {
  return {
    type: "tool-result",
    toolCallId: toCallId(callId),
    toolName: toValidToolName(tool),
    output: { type: isError ? "error-text" : "text", value: content.toWellFormed() },
  };
}

type CallIdForm = (id: string) => string;

/**
 * Identifiers come from whichever model made the call; Anthropic takes no other characters. Those that would look alike
 * then are told apart: it takes none twice, either.
 */
function createCallIdForm(): CallIdForm {
  const formById = new Map<string, string>();
  const used = new Set<string>();
  return (id) => {
    const known = formById.get(id);
    if (known !== undefined) return known;
    const valid = id.replaceAll(/[^\w-]/g, "_");
    let form = valid;
    for (let number = 2; used.has(form); number += 1) form = `${valid}_${number}`;
    used.add(form);
    formById.set(id, form);
    return form;
  };
}

/** The tools in the form that all SDKs share; the last one bears `cacheMark`. */
export function toSdkTools(
  { tools }: ModelRequest,
  cacheMark?: SharedV4ProviderOptions,
): LanguageModelV4FunctionTool[] {
  return tools.map(({ name, description, inputSchema }, index) => ({
    type: "function",
    name,
    description: description.toWellFormed(),
    inputSchema: inputSchema as Readonly<Record<string, JSONValue>>,
    // Schemas come from plugins as they are; strict modes take only some of JSON Schema.
    strict: false,
    ...(cacheMark !== undefined && index === tools.length - 1
      ? { providerOptions: cacheMark }
      : {}),
  }));
}
