/** The kinds of model API, each with the adapter that speaks it and the ways in which its servers fail. */
import { createAnthropicAdapter } from "../sdk/anthropic-adapter.ts";
import { createGoogleAdapter } from "../sdk/google-adapter.ts";
import type { ModelAdapter } from "../model-adapter.ts";
import { createOpenAiCompatibleAdapter } from "../chat-completions/openai-compatible-adapter.ts";
import { createOpenAiResponsesAdapter } from "../sdk/openai-responses-adapter.ts";
import type { SdkAdapterOptions } from "../sdk/sdk-adapter.ts";
import { anthropicMessages, googleGenerativeAi, openAiResponses } from "./wire-format.ts";
import type { WireFormat } from "./wire-format.ts";

export interface WireApi {
  readonly name: string;
  readonly create: (options: SdkAdapterOptions) => ModelAdapter;
  /** Absent for chat completions, which the model server speaks by itself. */
  readonly wire: WireFormat | undefined;
  /** The beginning of an answer, with a piece of its text. */
  readonly half: string;
  /** Body of an error that says that the server is overloaded. */
  readonly errorBody: unknown;
  /** The same as an event inside an answer. */
  readonly errorEvent: string;
}

const toHalf = (wire: WireFormat): string => {
  const writer = wire.createWriter();
  return writer.begin() + writer.text("half of");
};

const openAiError = { error: { message: "server had an error", type: "server_error" } };
const anthropicError = {
  type: "error",
  error: { type: "overloaded_error", message: "Overloaded" },
};
const googleError = { error: { code: 503, message: "overloaded", status: "UNAVAILABLE" } };
const responsesError = { type: "error", code: "server_error", message: "server had an error" };

export const wireApis: readonly WireApi[] = [
  {
    name: "openai-completions",
    create: createOpenAiCompatibleAdapter,
    wire: undefined,
    half: 'data: {"choices":[{"delta":{"content":"half of"}}]}\n\n',
    errorBody: openAiError,
    errorEvent: `data: ${JSON.stringify(openAiError)}\n\n`,
  },
  {
    name: "openai-responses",
    create: createOpenAiResponsesAdapter,
    wire: openAiResponses,
    half: toHalf(openAiResponses),
    errorBody: openAiError,
    errorEvent: `event: error\ndata: ${JSON.stringify({ ...responsesError, param: null, sequence_number: 99 })}\n\n`,
  },
  {
    name: "anthropic-messages",
    create: createAnthropicAdapter,
    wire: anthropicMessages,
    half: toHalf(anthropicMessages),
    errorBody: anthropicError,
    errorEvent: `event: error\ndata: ${JSON.stringify(anthropicError)}\n\n`,
  },
  {
    name: "google-generative-ai",
    create: createGoogleAdapter,
    wire: googleGenerativeAi,
    half: toHalf(googleGenerativeAi),
    errorBody: googleError,
    errorEvent: `data: ${JSON.stringify(googleError)}\n\n`,
  },
];
