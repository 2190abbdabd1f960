import type { AnswerRecord } from "./answer.ts";
import type { FileAttachment, InboundMessage } from "./message.ts";
import type { CallConsent, ToolCall } from "./tool.ts";

/** What is left of a file whose bytes made room for newer ones. */
export interface ForgottenFile {
  readonly name: string;
  readonly mimeType: string;
  readonly data?: undefined;
  /** Bytes it had. */
  readonly size: number;
}

export type TranscriptFile = FileAttachment | ForgottenFile;

/** One entry of the conversation a model sees. */
export type TranscriptMessage =
  /** `files` is absent or holds one at least; with them `content` may be empty. */
  | {
      readonly role: "user";
      readonly content: string;
      readonly files?: readonly TranscriptFile[];
    }
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
      /** See `ToolResult`; known in the turn of the call only. */
      readonly byHost?: boolean | undefined;
      readonly consent?: CallConsent | undefined;
    };

export interface Session {
  /** `<channel>:<conversation>[:<thread>]`, see `toSessionKey`. */
  readonly key: string;
  readonly messages: readonly TranscriptMessage[];
  /** `provider/model` the person chose with `/model`; empty when routing decides. */
  readonly pinnedModel: string;
  /** `undefined` when there is none, or nothing to choose from when it was given. */
  readonly lastAnswer: AnswerRecord | undefined;
}

/** Whether those who talk in one conversation share what is remembered of it, or each has a session of their own. */
export type SessionScope = "conversation" | "sender";

/**
 * The session a message belongs to: `<channel>:<conversation>[:<thread>]`, or with a sender's own one
 * `<channel>:<conversation>:[<thread>]:<sender>`, which always has four parts.
 * `%` and `:` inside the parts are percent-encoded, so that two different places never share a key.
 */
export function toSessionKey(
  message: Pick<InboundMessage, "channel" | "conversationId" | "threadId"> &
    Partial<Pick<InboundMessage, "senderId">>,
  scope: SessionScope = "conversation",
): string {
  const { channel, conversationId, threadId, senderId = "" } = message;
  const parts = [channel, conversationId];
  if (threadId !== "" || scope === "sender") parts.push(threadId);
  if (scope === "sender") parts.push(senderId);
  return parts.map((part) => part.replaceAll("%", "%25").replaceAll(":", "%3A")).join(":");
}
