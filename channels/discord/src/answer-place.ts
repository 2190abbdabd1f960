import { type API, ThreadAutoArchiveDuration } from "@discordjs/core/http-only";
import type { ChannelPlace } from "@opentalon/plugin-sdk";
import type { ChannelDirectory, ChannelFacts } from "./channel-directory.ts";
import { errorCodes, explainProblem } from "./explain-problem.ts";
import { createRecentMap } from "./recent-map.ts";
import type { Question } from "./read-message.ts";

/** Finds the channel an answer goes to; opens the thread below a question where answers go into threads. */
export interface AnswerPlaces {
  /** A question whose answer may open a thread. */
  readonly note: (question: Question) => void;
  /** Where typing shows: beside the question while there is no thread yet. */
  readonly findOpen: (place: ChannelPlace) => string;
  /** Rejects when Discord does not answer. */
  readonly open: (place: ChannelPlace) => Promise<string>;
}

export interface AnswerPlacesOptions {
  readonly api: API;
  readonly directory: ChannelDirectory;
  readonly log: (line: string) => void;
}

const maxWaiting = 2_000;
const maxNameLength = 80;

export function createAnswerPlaces({ api, directory, log }: AnswerPlacesOptions): AnswerPlaces {
  /** Names of threads that are not opened yet, by the message they will lie below. */
  const names = createRecentMap<string>(maxWaiting);
  /** Channels where no thread can be opened, by the same. */
  const refused = createRecentMap<string>(maxWaiting);
  const opening = new Map<string, Promise<string>>();

  const openThread = async ({ conversationId, threadId }: ChannelPlace): Promise<string> => {
    if ((await directory.find(threadId)) !== undefined) return threadId;
    const name = names.get(threadId) ?? "Answer";
    try {
      const thread = await api.channels.createThread(
        conversationId,
        { name, auto_archive_duration: ThreadAutoArchiveDuration.OneDay },
        threadId,
      );
      directory.learn({ ...(thread as ChannelFacts), member: true });
    } catch (error) {
      const { kind, code, words } = explainProblem(error);
      if (code !== errorCodes.threadExistsAlready) {
        if (kind !== "refused") throw error;
        log(`no thread could be opened, the answer goes into the channel: ${words}`);
        refused.set(threadId, conversationId);
        return conversationId;
      }
    }
    names.delete(threadId);
    return threadId;
  };

  return {
    note: ({ messageId, threadId, content }) => {
      if (threadId === messageId) names.set(messageId, toName(content));
    },
    findOpen: ({ conversationId, threadId }) =>
      threadId === "" || names.get(threadId) !== undefined
        ? conversationId
        : (refused.get(threadId) ?? threadId),
    open: (place) => {
      const { conversationId, threadId } = place;
      if (threadId === "") return Promise.resolve(conversationId);
      const instead = refused.get(threadId);
      if (instead !== undefined) return Promise.resolve(instead);
      const under =
        opening.get(threadId) ?? openThread(place).finally(() => opening.delete(threadId));
      opening.set(threadId, under);
      return under;
    },
  };
}

function toName(content: string): string {
  const [line = ""] = content.trim().split("\n");
  const characters = [...line];
  if (characters.length <= maxNameLength) return line || "Answer";
  return `${characters.slice(0, maxNameLength - 1).join("")}…`;
}
