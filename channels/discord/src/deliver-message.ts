import { createHash, randomUUID } from "node:crypto";
import type { API, APIMessage } from "@discordjs/core/http-only";
import type { OutgoingMessage, PostedMessage } from "@opentalon/plugin-sdk";
import type { AnswerPlaces } from "./answer-place.ts";
import type { ChannelDirectory } from "./channel-directory.ts";
import type { ChannelMemory, ShownAnswer } from "./channel-memory.ts";
import type { Clock } from "./clock.ts";
import { errorCodes, explainProblem } from "./explain-problem.ts";
import { findEarlierPost } from "./find-earlier-post.ts";
import { toMessageBody, withoutFiles } from "./message-body.ts";
import { createRecentMap } from "./recent-map.ts";
import { isSnowflake } from "./snowflake.ts";

export interface DelivererOptions {
  readonly api: API;
  readonly botId: string;
  readonly directory: ChannelDirectory;
  readonly places: AnswerPlaces;
  readonly memory: ChannelMemory;
  /** Something is said in a channel. */
  readonly onSaid: (channelId: string) => void;
  readonly clock: Clock;
}

/** Says things on Discord, each once: a delivery that comes again finds what became of it. */
export interface Deliverer {
  /** @throws Error in words for the operator. */
  readonly send: (message: OutgoingMessage, signal: AbortSignal) => Promise<PostedMessage>;
  /** The gateway tells of a message of the bot. */
  readonly sawOwn: (message: Pick<APIMessage, "id" | "nonce">) => void;
}

const maxRemembered = 2_000;
/** Discord takes five changes in five seconds per channel; answers in one channel may grow side by side. */
const editIntervalMs = 1_300;
/** An intermediate state that is not shown by then is not worth waiting for. */
const partialTimeoutMs = 3_000;

export function createDeliverer(options: DelivererOptions): Deliverer {
  const { api, botId, directory, places, memory, onSaid, clock } = options;
  /** When growing answers of this process were changed last, by the question. */
  const editedAtMs = createRecentMap<number>(maxRemembered);
  /** Questions whose answer points at them already. */
  const answered = createRecentMap<true>(maxRemembered);

  /** Points at the question where others may have written in between. */
  const toReference = async (
    questionId: string,
    channelId: string,
  ): Promise<string | undefined> => {
    // A thread below the question shows it already.
    if (!isSnowflake(questionId) || questionId === channelId) return undefined;
    if (answered.get(questionId) === true) return undefined;
    const place = await directory.find(channelId);
    return place === undefined || place.isDirect ? undefined : questionId;
  };

  const create = async (
    message: OutgoingMessage,
    { nonce, signal }: { readonly nonce: string; readonly signal: AbortSignal },
  ): Promise<ShownAnswer> => {
    const channelId = await places.open(message);
    const questionId = toQuestionId(message);
    const body = toMessageBody(message);
    const earlierId = await findEarlierPost({
      api,
      botId,
      channelId,
      questionId,
      content: body.content,
      isTaken: memory.isPosted,
      nowMs: clock.now(),
    });
    if (earlierId !== undefined) {
      memory.posted(nonce, earlierId);
      return { channelId, messageId: earlierId };
    }
    const referenceId = await toReference(questionId, channelId);
    const reference =
      referenceId === undefined
        ? {}
        : { message_reference: { message_id: referenceId, fail_if_not_exists: false } };
    // A nonce Discord knows from the last minutes gives the message it has, not another one.
    const { id } = await api.channels.createMessage(
      channelId,
      { ...body, ...reference, nonce, enforce_nonce: true },
      { signal },
    );
    memory.posted(nonce, id);
    if (referenceId !== undefined) answered.set(referenceId, true);
    directory.setJoined(channelId, true);
    return { channelId, messageId: id };
  };

  const edit = async (
    message: OutgoingMessage,
    { channelId, messageId }: ShownAnswer,
    signal: AbortSignal,
  ): Promise<void> => {
    const { content, components, files } = toMessageBody(message);
    const change = {
      content,
      components: components ?? [],
      allowed_mentions: { parse: [] },
      files,
    };
    await api.channels.editMessage(channelId, messageId, change, { signal });
  };

  /**
   * The message of an answer that is about to grow. That there will be one is on disk before: whoever finishes the answer
   * after a crash finds it by the nonce.
   */
  const beginShown = async (
    message: OutgoingMessage,
    signal: AbortSignal,
  ): Promise<ShownAnswer> => {
    const key = toLiveKey(message);
    if (memory.findShown(key) === undefined) {
      memory.shown(key, { channelId: await places.open(message), messageId: "" });
      await memory.flush().catch(() => undefined);
    }
    const nonce = toNonce(`live ${key}`);
    const answer = await create(message, { nonce, signal });
    memory.shown(key, answer);
    return answer;
  };

  /** What there is so far of an answer. What cannot be shown soon is not: the next state will be. */
  const showPartial = async (message: OutgoingMessage, signal: AbortSignal): Promise<string> => {
    const key = toLiveKey(message);
    const shown = memory.findShown(key);
    if (shown === undefined || shown.messageId === "") {
      editedAtMs.set(key, clock.now());
      return (await beginShown(message, signal)).messageId;
    }
    if (clock.now() - (editedAtMs.get(key) ?? 0) >= editIntervalMs) {
      editedAtMs.set(key, clock.now());
      const limit = AbortSignal.any([signal, AbortSignal.timeout(partialTimeoutMs)]);
      await edit(message, shown, limit).catch(() => undefined);
    }
    return shown.messageId;
  };

  /** What has grown so far becomes the answer. False: somebody has deleted it. */
  const finish = async (
    message: OutgoingMessage,
    shown: ShownAnswer,
    signal: AbortSignal,
  ): Promise<boolean> => {
    try {
      await edit(message, shown, signal);
      return true;
    } catch (error) {
      if (explainProblem(error).code !== errorCodes.unknownMessage) throw error;
      return false;
    }
  };

  /** The message that shows what there was of this answer before. */
  const findUnfinished = async (
    message: OutgoingMessage,
    signal: AbortSignal,
  ): Promise<ShownAnswer | undefined> => {
    const key = toLiveKey(message);
    // An answer that grew in an earlier process comes without the mark of one that grows.
    const isInherited = editedAtMs.get(key) === undefined;
    const isFinal = message.metadata["_live_state"] === "final";
    const shown = isFinal || isInherited ? memory.findShown(key) : undefined;
    return shown?.messageId === "" ? beginShown(message, signal) : shown;
  };

  const say = async (message: OutgoingMessage, signal: AbortSignal): Promise<string> => {
    const { deliveryId, metadata } = message;
    if (metadata["_live_state"] === "partial") return showPartial(message, signal);
    const nonce = toNonce(deliveryId === "" ? randomUUID() : deliveryId);
    const known = memory.findPosted(nonce);
    if (known !== undefined) return known;
    const shown = await findUnfinished(message, signal);
    if (shown === undefined) return (await create(message, { nonce, signal })).messageId;
    const key = toLiveKey(message);
    const isFinished = await finish(message, shown, signal);
    const messageId = isFinished
      ? shown.messageId
      : (await create(message, { nonce, signal })).messageId;
    memory.posted(nonce, messageId);
    memory.shown(key, undefined);
    editedAtMs.delete(key);
    // What comes next in answer to the same question must not replace it, also after a crash.
    await memory.flush().catch(() => undefined);
    return messageId;
  };

  const sayFitting = async (message: OutgoingMessage, signal: AbortSignal): Promise<string> => {
    try {
      return await say(message, signal);
    } catch (error) {
      const isTooLarge = explainProblem(error).code === errorCodes.requestTooLarge;
      if (!isTooLarge || message.files.length === 0) throw error;
      return say(withoutFiles(message), signal);
    }
  };

  return {
    send: async (message, signal) => {
      if (message.content.trim() === "" && message.files.length === 0) return { messageIds: [] };
      // A thread that is opened now was written for beside the question.
      const typingId = places.findOpen(message);
      try {
        const messageId = await sayFitting(message, signal);
        onSaid(typingId);
        return { messageIds: [messageId] };
      } catch (error) {
        throw new Error(explainProblem(error).words, { cause: error });
      }
    },
    sawOwn: ({ id, nonce }) => {
      if (nonce !== undefined) memory.posted(String(nonce), id);
    },
  };
}

/** Empty for what nobody asked for. */
function toQuestionId({ metadata }: OutgoingMessage): string {
  return metadata["in_reply_to"] ?? "";
}

/** Names a growing answer: by its question, which it has after a restart too. */
function toLiveKey(message: OutgoingMessage): string {
  const questionId = toQuestionId(message);
  return questionId === "" ? (message.metadata["_live"] ?? "") : questionId;
}

/** Discord takes 25 characters. */
function toNonce(name: string): string {
  return createHash("sha256").update(name).digest("base64url").slice(0, 25);
}
