import { createHash, randomUUID } from "node:crypto";
import type { API, APIMessage } from "@discordjs/core/http-only";
import type { OutgoingMessage } from "@opentalon/plugin-sdk";
import type { AnswerPlaces } from "./answer-place.ts";
import type { ChannelDirectory } from "./channel-directory.ts";
import type { Clock } from "./clock.ts";
import { errorCodes, explainProblem } from "./explain-problem.ts";
import { toMessageBody, withoutFiles } from "./message-body.ts";
import { createRecentMap } from "./recent-map.ts";
import { isSnowflake } from "./snowflake.ts";

export interface DelivererOptions {
  readonly api: API;
  readonly directory: ChannelDirectory;
  readonly places: AnswerPlaces;
  /** Something is said in a channel. */
  readonly onSaid: (channelId: string) => void;
  readonly clock: Clock;
}

/** Says things on Discord. */
export interface Deliverer {
  /** The identifiers of what stands there now. @throws Error in words for the operator. */
  readonly send: (
    message: OutgoingMessage,
    signal: AbortSignal,
  ) => Promise<{ readonly messageIds: readonly string[] }>;
  /** The gateway tells of a message of the bot. */
  readonly sawOwn: (message: Pick<APIMessage, "id" | "nonce">) => void;
}

/** A growing answer, and the message that shows it. */
interface Live {
  readonly channelId: string;
  readonly messageId: string;
  editedAtMs: number;
}

const maxRemembered = 2_000;
/** Discord takes five changes in five seconds per channel; answers in one channel may grow side by side. */
const editIntervalMs = 1_300;
/** An intermediate state that is not shown by then is not worth waiting for. */
const partialTimeoutMs = 3_000;

export function createDeliverer(options: DelivererOptions): Deliverer {
  const { api, directory, places, onSaid, clock } = options;
  const lives = createRecentMap<Live>(maxRemembered);
  /** How often the same was said in answer to the same, so that the next time is another one. */
  const counts = createRecentMap<number>(maxRemembered);
  /** What Discord has of what was said, by nonce. */
  const said = createRecentMap<string>(maxRemembered);
  /** Questions whose answer points at them already. */
  const answered = createRecentMap<true>(maxRemembered);
  // What nobody asked for may be the same every day.
  const occasion = randomUUID();

  /** Points at the question where others may have written in between. */
  const toReference = async (
    { metadata }: OutgoingMessage,
    channelId: string,
  ): Promise<string | undefined> => {
    const questionId = metadata["in_reply_to"] ?? "";
    // A thread below the question shows it already.
    if (!isSnowflake(questionId) || questionId === channelId) return undefined;
    if (answered.get(questionId) === true) return undefined;
    const place = await directory.find(channelId);
    return place === undefined || place.isDirect ? undefined : questionId;
  };

  /** Discord shows a message with a nonce it knows from the last minutes once. */
  const create = async (
    message: OutgoingMessage,
    channelId: string,
    { nonce, signal }: { readonly nonce: string; readonly signal: AbortSignal },
  ): Promise<string> => {
    // The answer to an earlier try was lost, its message was not.
    const known = said.get(nonce);
    if (known !== undefined) return known;
    const referenceId = await toReference(message, channelId);
    const body = toMessageBody(message);
    const created = await api.channels.createMessage(
      channelId,
      {
        ...body,
        nonce,
        enforce_nonce: true,
        ...(referenceId === undefined
          ? {}
          : { message_reference: { message_id: referenceId, fail_if_not_exists: false } }),
      },
      { signal },
    );
    said.set(nonce, created.id);
    if (referenceId !== undefined) answered.set(referenceId, true);
    directory.setJoined(channelId, true);
    return created.id;
  };

  const edit = async (
    message: OutgoingMessage,
    { channelId, messageId }: Live,
    signal: AbortSignal,
  ): Promise<void> => {
    const { content, components, files } = toMessageBody(message);
    const allowed_mentions = { parse: [] };
    await api.channels.editMessage(
      channelId,
      messageId,
      { content, components: components ?? [], allowed_mentions, files },
      { signal },
    );
  };

  /** What there is so far of an answer. What cannot be shown soon is not: the next state will be. */
  const showPartial = async (
    message: OutgoingMessage,
    liveId: string,
    signal: AbortSignal,
  ): Promise<readonly string[]> => {
    const live = lives.get(liveId);
    if (live === undefined) {
      const channelId = await places.open(message);
      const nonce = toNonce([liveId]);
      const messageId = await create(message, channelId, { nonce, signal });
      lives.set(liveId, { channelId, messageId, editedAtMs: clock.now() });
      onSaid(channelId);
      return [messageId];
    }
    if (clock.now() - live.editedAtMs < editIntervalMs) return [live.messageId];
    live.editedAtMs = clock.now();
    const limit = AbortSignal.any([signal, AbortSignal.timeout(partialTimeoutMs)]);
    await edit(message, live, limit).catch(() => undefined);
    return [live.messageId];
  };

  const showFinal = async (
    message: OutgoingMessage,
    liveId: string,
    signal: AbortSignal,
  ): Promise<readonly string[]> => {
    const shown = lives.get(liveId);
    const channelId = shown?.channelId ?? (await places.open(message));
    // After a restart the nonce finds what was shown before.
    const messageId =
      shown?.messageId ?? (await create(message, channelId, { nonce: toNonce([liveId]), signal }));
    const live: Live = { channelId, messageId, editedAtMs: clock.now() };
    try {
      await edit(message, live, signal);
      lives.delete(liveId);
      return [messageId];
    } catch (error) {
      if (explainProblem(error).code !== errorCodes.unknownMessage) throw error;
      // Somebody has deleted it.
      lives.delete(liveId);
      return sayNew(message, channelId, signal);
    }
  };

  const sayNew = async (
    message: OutgoingMessage,
    channelId: string,
    signal: AbortSignal,
  ): Promise<readonly string[]> => {
    const key = toKey(message, channelId, occasion);
    const count = counts.get(key) ?? 0;
    const messageId = await create(message, channelId, { nonce: toNonce([key, String(count)]), signal });
    counts.set(key, count + 1);
    return [messageId];
  };

  const say = async (
    message: OutgoingMessage,
    signal: AbortSignal,
  ): Promise<readonly string[]> => {
    const { content, files, metadata } = message;
    if (content.trim() === "" && files.length === 0) return [];
    const { _live: liveId = "", _live_state: state } = metadata;
    if (liveId !== "" && state === "partial") return showPartial(message, liveId, signal);
    if (liveId !== "" && state === "final") return showFinal(message, liveId, signal);
    return sayNew(message, await places.open(message), signal);
  };

  const sayFitting = async (
    message: OutgoingMessage,
    signal: AbortSignal,
  ): Promise<readonly string[]> => {
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
      try {
        const messageIds = await sayFitting(message, signal);
        if (message.metadata["_live_state"] !== "partial") onSaid(places.findOpen(message));
        return { messageIds };
      } catch (error) {
        throw new Error(explainProblem(error).words, { cause: error });
      }
    },
    sawOwn: ({ id, nonce }) => {
      if (nonce !== undefined) said.set(String(nonce), id);
    },
  };
}

function toKey(message: OutgoingMessage, channelId: string, occasion: string): string {
  const { content, files, metadata } = message;
  const attached = files.map(({ name, data }) => [name, data.byteLength]);
  const about = metadata["in_reply_to"] ?? occasion;
  return JSON.stringify([channelId, about, content, attached, metadata["type"] ?? ""]);
}

/** Discord takes 25 characters. */
function toNonce(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 25);
}
