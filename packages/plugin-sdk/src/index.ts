import { redirectConsole } from "./own-process.ts";

// On import, because an author's first `console.log` may come before `serveTool`.
redirectConsole();

export type {
  ActionDefinition,
  ActionResult,
  AnyActionDefinition,
  AnyParameters,
  AnyToolDefinition,
  ArgumentsOf,
  CallContext,
  ParameterDefinition,
  ParameterDefinitions,
  ToolDefinition,
  ToolProvider,
} from "./define-tool.ts";
export type {
  CallbackAnswer,
  CallbackValue,
  CallOther,
  PluginState,
  SetOptions,
} from "./define-callbacks.ts";
export type { ParameterType } from "./parameter.ts";
export type { ObjectSchema } from "./object-schema.ts";
export type { AnswerWeb } from "./serve-web.ts";
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
export type {
  ChannelAbilities,
  ChannelContext,
  ChannelDefinition,
  ChannelFile,
  ChannelPlace,
  ChannelTool,
  IncomingMessage,
  OutgoingMessage,
  PostedMessage,
} from "./define-channel.ts";
export { UnknownDeliveryError } from "./define-channel.ts";
export { serveChannel } from "./serve-channel.ts";
