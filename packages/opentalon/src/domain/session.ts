import type { InboundMessage } from "./message.ts";
import type { ToolCall } from "./tool.ts";

/** One entry of the conversation a model sees. */
export type TranscriptMessage =
  | { readonly role: "user"; readonly content: string }
  | {
      readonly role: "assistant";
      readonly content: string;
      readonly toolCalls: readonly ToolCall[];
    }
  /** `content` passed the guard; the envelope is put around it when a prompt is built. */
  | {
      readonly role: "tool";
      readonly callId: string;
      readonly tool: string;
      readonly content: string;
      readonly isError: boolean;
    };

export interface Session {
  /** `<channel>:<conversation>[:<thread>]`, see `toSessionKey`. */
  readonly key: string;
  readonly messages: readonly TranscriptMessage[];
  /** `provider/model` the person chose with `/model`; empty when routing decides. */
  readonly pinnedModel: string;
}

/**
 * The session a message belongs to: `<channel>:<conversation>[:<thread>]`.
 * `%` and `:` inside the parts are percent-encoded, so that two different places never share a key.
 */
export function toSessionKey(
  message: Pick<InboundMessage, "channel" | "conversationId" | "threadId">,
): string {
  const parts = [message.channel, message.conversationId];
  if (message.threadId !== "") parts.push(message.threadId);
  return parts.map((part) => part.replaceAll("%", "%25").replaceAll(":", "%3A")).join(":");
}
