import type { Clock } from "../../base/clock.ts";
import { toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { ChannelCapabilities, SentMessage } from "../../domain/channel.ts";
import type { FileAttachment, OutboundMessage } from "../../domain/message.ts";
import type { Turn, TurnEvent } from "../../domain/turn.ts";
import { DeliveryError } from "../delivery-error.ts";
import { formatMessage, splitFormattedMessage, toTargetFormat } from "../format/format-message.ts";
import { formatBeginning } from "../format/format-text.ts";
import type { BackgroundCalls } from "./background-calls.ts";
import type { ConversationMemory } from "./conversation-memory.ts";
import type { ChannelDefinition, RequestTemplate } from "./definition.ts";
import { createEditPace } from "./edit-pace.ts";
import { explainRefused, explainUnsent, findFileRules } from "./find-file-rules.ts";
import { RefusedError } from "./http-call.ts";
import { toHookScope } from "./message-scope.ts";
import { createRecentKeys } from "./recent-keys.ts";
import { sendFile } from "./send-file.ts";
import type { SentMemory } from "./sent-memory.ts";
import type { SessionValues } from "./session-values.ts";
import { isCaption, splitFiles } from "./split-files.ts";
import { createStreamedReplies, toStreamKey } from "./streamed-replies.ts";
import { createTextRequests, isPlainRefusal } from "./text-requests.ts";
import { createTypingSigns } from "./typing-signs.ts";

/** Brings replies to a platform: as new messages, or as the last edit of one that was shown while it was written. */
export interface MessageDelivery {
  /** A reply as the messages that are sent one after another. */
  readonly split: (message: OutboundMessage) => readonly OutboundMessage[];
  readonly send: (message: OutboundMessage, deliveryId: string) => Promise<SentMessage>;
  readonly show: (turn: Turn, event: TurnEvent) => void;
  /** No more edits and typing signs. */
  readonly close: () => void;
}

export interface MessageDeliveryOptions {
  readonly definition: ChannelDefinition;
  readonly capabilities: ChannelCapabilities;
  readonly values: SessionValues;
  readonly sent: SentMemory;
  readonly conversations: ConversationMemory;
  readonly hooks: BackgroundCalls;
  readonly clock: Clock;
  readonly log: Log;
}

/** What of a message has arrived, for another attempt. */
interface Progress {
  isTextSent: boolean;
  /** The platform's identifier of what arrived first; empty when it is not told. */
  firstId: string;
  filesSent: number;
}

const rememberMs = 3_600_000;
/** An edit that hangs holds up the answer. */
const liveEditTimeoutMs = 10_000;

export function createMessageDelivery(options: MessageDeliveryOptions): MessageDelivery {
  const { definition, capabilities, values, sent, conversations, hooks, clock, log } = options;
  const { outbound, displayName } = definition;
  const { send, update, confirm, typing, storeId } = outbound;
  const format = toTargetFormat(capabilities);
  const fileRules = outbound.files ?? (carriesFiles(send) ? undefined : []);
  const hooked = createRecentKeys<true>(1_000, clock);
  const attempts = createRecentKeys<Progress>(1_000, clock);
  const requests = createTextRequests({ definition, values, sent, log });
  const pace = createEditPace(outbound.streaming, clock);
  const signs = createTypingSigns({ typing, values, clock, log });
  const streams = createStreamedReplies({
    isEnabled:
      definition.capabilities.edits && update !== undefined && storeId !== "" && send !== undefined,
    maxLength: capabilities.maxMessageLength,
    pace,
    format: (text, maxLength) => formatBeginning(text, format, maxLength),
    post: requests.post,
    edit: (message, id) => requests.edit(message, id, { timeoutMs: liveEditTimeoutMs }),
    log,
  });

  const isQuestion = ({ metadata }: OutboundMessage): boolean =>
    metadata["type"] === "confirmation" && confirm !== undefined;
  const logUnfinished = (error: unknown): void =>
    log.debug({ problem: toMessage(error) }, "the mark of an unfinished answer stays");

  /** The message in which the reply is where it belongs now; `undefined` when it has to be posted. */
  const finishStream = async (message: OutboundMessage): Promise<string | undefined> => {
    const key = toStreamKey(message, message.metadata["in_reply_to"] ?? "");
    const shown = await streams.end(key);
    if (shown === undefined) {
      streams.forget(key);
      return undefined;
    }
    if (isQuestion(message)) {
      // Buttons come with a new message; what was shown so far stays, as something that is finished.
      await requests.edit({ ...message, content: shown.content }, shown.id).catch(logUnfinished);
      streams.forget(key);
      return undefined;
    }
    try {
      await requests.edit(message, shown.id);
    } catch (error) {
      const { retryAfterMs } = error as { retryAfterMs?: number | undefined };
      // An edit that had come through before.
      const isAlreadySo = error instanceof RefusedError && /not modified/i.test(error.message);
      if (isPlainRefusal(error) && !isAlreadySo) {
        log.warn({ problem: toMessage(error) }, "an answer could not be edited and is posted anew");
        streams.forget(key);
        return undefined;
      }
      // The same edit twice shows the same text.
      if (!isAlreadySo)
        throw new DeliveryError(toMessage(error), {
          outcome: "not-delivered",
          retryAfterMs,
          cause: error,
        });
    }
    streams.forget(key);
    return shown.id;
  };

  /** Gives the platform's identifier of it; empty when it is not told. */
  const sendText = async (message: OutboundMessage): Promise<string> => {
    pace.count(message.conversationId);
    return (await finishStream(message)) ?? (await requests.post(message));
  };

  const tell = async (message: OutboundMessage, words: string): Promise<void> => {
    const plain = { ...message, content: words, files: [], isFormatted: false };
    await sendText(formatMessage(plain, capabilities));
  };

  const leaveOut = (
    message: OutboundMessage,
    file: FileAttachment,
    why: string,
    words: string,
  ): Promise<void> => {
    const about = { file: file.name, type: file.mimeType, bytes: file.data.byteLength };
    log.warn({ ...about, problem: why }, "a file of a reply is left out");
    return tell(message, words);
  };

  /** What cannot be sent for good is told to the person, and to the operator. */
  const sendOneFile = async (
    message: OutboundMessage,
    file: FileAttachment,
    progress: Progress,
  ): Promise<void> => {
    const rules = findFileRules(fileRules ?? [], file);
    let refusal: unknown;
    for (const rule of rules) {
      const isBelow = !progress.isTextSent && isCaption(message, rule);
      if (!isBelow) await sendTextOnce(message, progress);
      const content = isBelow ? message.content : "";
      try {
        const id = await sendFile(rule, { ...message, content }, file, requests);
        if (progress.firstId === "") progress.firstId = id;
        pace.count(message.conversationId);
        progress.isTextSent = true;
        return;
      } catch (error) {
        if (!isPlainRefusal(error)) throw error;
        refusal = error;
      }
    }
    await sendTextOnce(message, progress);
    const words =
      refusal === undefined
        ? explainUnsent(fileRules ?? [], file, displayName)
        : explainRefused(file, displayName);
    await leaveOut(message, file, refusal === undefined ? words : toMessage(refusal), words);
  };

  const sendTextOnce = async (message: OutboundMessage, progress: Progress): Promise<void> => {
    if (!progress.isTextSent && message.content.trim() !== "")
      progress.firstId = await sendText({ ...message, files: [] });
    progress.isTextSent = true;
  };

  const sendMessage = async (message: OutboundMessage, deliveryId: string): Promise<string> => {
    const { files } = message;
    if (fileRules === undefined || files.length === 0) return sendText(message);
    const progress = attempts.get(deliveryId) ?? { isTextSent: false, firstId: "", filesSent: 0 };
    attempts.set(deliveryId, progress, rememberMs);
    const key = toStreamKey(message, message.metadata["in_reply_to"] ?? "");
    // A text that people see already cannot move below a file.
    if (streams.isShown(key)) await sendTextOnce(message, progress);
    else streams.forget(key);
    for (const file of files.slice(progress.filesSent)) {
      await sendOneFile(message, file, progress);
      progress.filesSent += 1;
    }
    attempts.set(deliveryId, { isTextSent: false, firstId: "", filesSent: 0 }, rememberMs);
    return progress.firstId;
  };

  return {
    split: (message) => {
      const texts = splitFormattedMessage(message, capabilities);
      return fileRules === undefined ? texts : splitFiles(texts, fileRules);
    },
    send: async (given, deliveryId) => {
      const message = formatMessage(conversations.complete(given), capabilities);
      if (message.metadata["_typing"] === "true") {
        signs.show(message);
        return { messageIds: [] };
      }
      if (message.content === "" && message.files.length === 0) return { messageIds: [] };
      const id = await sendMessage(message, deliveryId);
      const reply = deliveryId.replace(/#\d+$/, "");
      if (hooked.get(reply) !== true) {
        hooked.set(reply, true, rememberMs);
        hooks.add(definition.onResponse, toHookScope(message));
      }
      return { messageIds: id === "" ? [] : [id] };
    },
    show: (turn, event) => {
      signs.observe(turn, event);
      streams.show(turn, event);
    },
    close: () => {
      signs.close();
      streams.close();
    },
  };
}

/** Whether a request has a place for files in its own body. */
function carriesFiles(request: RequestTemplate | undefined): boolean {
  return /\{\{msg\.file(?:s_json|_\d+_data)\}\}/.test(request?.body?.text ?? "");
}
