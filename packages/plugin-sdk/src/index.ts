import { redirectConsole } from "./own-process.ts";

// On import, because an author's first `console.log` may come before `serveTool`.
redirectConsole();

export type {
  ActionDefinition,
  ActionResult,
  AnyParameters,
  ArgumentsOf,
  CallContext,
  ParameterDefinition,
  ParameterDefinitions,
  ParameterType,
  ToolDefinition,
} from "./define-tool.ts";
export type { ObjectSchema } from "./object-schema.ts";
export { serveTool } from "./serve-tool.ts";
export type {
  GuardVerdict,
  HookContext,
  HookDefinition,
  InvokeStep,
  PrepareVerdict,
  SpokenSound,
} from "./define-hook.ts";
export { serveHook } from "./serve-hook.ts";
export { ProviderFailure } from "./define-provider.ts";
export type {
  CompletionPart,
  CompletionRequest,
  ConversationMessage,
  EarlierToolCall,
  FailureReason,
  MessageFile,
  ModelDefinition,
  OfferedTool,
  ProviderCallContext,
  ProviderDefinition,
  ProviderFailureDetails,
} from "./define-provider.ts";
export { serveProvider } from "./serve-provider.ts";
