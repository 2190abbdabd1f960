/** The testing kit of the SDK: starts real plugins and drives them as OpenTalon does. Works in every test runner. */
export type { StartedProcess, StartOptions, StopOutcome } from "./launch.ts";
export type {
  CallbackAnswer,
  CallbackCall,
  CallOptions,
  CallResult,
  ReportedAction,
  ReportedPlugin,
  StartedPlugin,
  StartPluginOptions,
} from "./start-plugin.ts";
export { startPlugin } from "./start-plugin.ts";
export type {
  ReceivedMessage,
  ReportedChannel,
  SentMessage,
  StartChannelOptions,
  StartedChannel,
} from "./start-channel.ts";
export { startChannel } from "./start-channel.ts";
export type {
  ProviderAnswer,
  ProviderQuestion,
  StartedProvider,
  StartProviderOptions,
} from "./start-provider.ts";
export { startProvider } from "./start-provider.ts";
export type {
  CheckLimits,
  CheckOptions,
  CheckReport,
  PlannedCall,
  PluginKind,
  RuleResult,
} from "../conformance/check-options.ts";
export { checkPlugin } from "../conformance/check-plugin.ts";
