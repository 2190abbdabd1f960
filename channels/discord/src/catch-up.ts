import type { API } from "@discordjs/core/http-only";
import type { Progress } from "./channel-memory.ts";
import { explainProblem } from "./explain-problem.ts";
import type { DiscordMessage } from "./read-message.ts";
import { isNewer, toSnowflake, toTimeMs } from "./snowflake.ts";

/** What was written longer ago is not answered any more. */
const longestAgoMs = 24 * 60 * 60_000;
/** Identifiers of one moment do not come in their order: what is this close to the last one is looked at again. */
const overlapMs = 5_000;
const pageSize = 100;
/** What may be read of one channel after a pause. */
export const maxMissed = 10_000;

/** A channel as a server lists it when the bot connects. */
export interface ListedChannel {
  readonly id: string;
  readonly last_message_id?: string | null | undefined;
}

/** Where to read on in a channel; `undefined` when there is nothing to read. */
export function findMissedStart(
  { id, last_message_id: lastId }: ListedChannel,
  progress: Progress,
  { joinedAtMs, nowMs }: { readonly joinedAtMs: number; readonly nowMs: number },
): string | undefined {
  if (lastId === null || lastId === undefined) return undefined;
  const ownId = progress.channels.get(id)?.lastId;
  if (ownId !== undefined && !isNewer(lastId, ownId)) return undefined;
  // In a channel nothing was heard of, what is newer than everything that was heard is new.
  const seenId = ownId ?? progress.newestId;
  if (seenId === undefined) return undefined;
  const afterMs = Math.max(toTimeMs(seenId) - overlapMs, joinedAtMs, nowMs - longestAgoMs);
  const after = toSnowflake(afterMs);
  return isNewer(lastId, after) ? after : undefined;
}

/** Where to read on in a channel Discord does not list, such as direct messages. */
export function toReadOn(seenId: string, nowMs: number): string {
  return toSnowflake(Math.max(toTimeMs(seenId) - overlapMs, nowMs - longestAgoMs));
}

export interface ReadMissedOptions {
  readonly api: API;
  readonly channelId: string;
  /** What is newer than this. */
  readonly after: string;
  /** Messages that are read at most. */
  readonly limit: number;
  readonly take: (message: DiscordMessage) => Promise<void>;
  readonly log: (line: string) => void;
}

/**
 * Hands over what was written in a channel meanwhile, oldest first. Rejects when Discord does
 * not answer; a channel that the bot may not read is passed over.
 */
export async function readMissed(options: ReadMissedOptions): Promise<void> {
  const { api, channelId, limit, take, log } = options;
  let { after } = options;
  for (let count = 0; count < limit; count += pageSize) {
    const found = await api.channels
      .getMessages(channelId, { after, limit: pageSize })
      .catch((error: unknown) => {
        const { kind, words } = explainProblem(error);
        if (kind !== "refused") throw error;
        log(`channel ${channelId} could not be read on: ${words}`);
        return [];
      });
    // Discord gives the newest first.
    for (const message of found.toReversed()) await take(message);
    const [newest] = found;
    if (newest === undefined || found.length < pageSize) return;
    after = newest.id;
  }
  log(`more than ${limit} messages were missed in channel ${channelId}; the rest is not read`);
}
