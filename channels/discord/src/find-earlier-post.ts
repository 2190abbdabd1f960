import type { API } from "@discordjs/core/http-only";
import { explainProblem } from "./explain-problem.ts";
import { isSnowflake, toTimeMs } from "./snowflake.ts";

export interface FindEarlierPostOptions {
  readonly api: API;
  readonly botId: string;
  readonly channelId: string;
  /** The message that is answered; empty when there is none. */
  readonly questionId: string;
  readonly content: string;
  /** The message belongs to another delivery. */
  readonly isTaken: (messageId: string) => boolean;
  readonly nowMs: number;
}

/** Discord recognises a nonce for some minutes; a question older than this may have been answered before that. */
const nonceLifeMs = 120_000;

/**
 * What an earlier process has said in answer to a question and could not note any more; `undefined` when there is no such
 * message. Rejects when Discord does not answer.
 */
export async function findEarlierPost(
  options: FindEarlierPostOptions,
): Promise<string | undefined> {
  const { api, botId, channelId, questionId, content, isTaken, nowMs } = options;
  const text = content.trim();
  if (text === "" || !isSnowflake(questionId)) return undefined;
  if (nowMs - toTimeMs(questionId) < nonceLifeMs) return undefined;
  const found = await api.channels
    .getMessages(channelId, { after: questionId, limit: 100 })
    .catch((error: unknown) => {
      if (explainProblem(error).kind !== "refused") throw error;
      return [];
    });
  return found
    .toReversed()
    .find(
      (message) =>
        message.author.id === botId &&
        message.content === text &&
        (message.message_reference?.message_id ?? questionId) === questionId &&
        !isTaken(message.id),
    )?.id;
}
