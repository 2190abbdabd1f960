import { join } from "node:path";
import type { ChannelContext } from "@opentalon/plugin-sdk";
import { createInvitations } from "./invitations.ts";
import { createKeptFile } from "./kept-file.ts";
import type { KnownEvents } from "./known-events.ts";
import { createMentions } from "./mentions.ts";
import { type Clock, withPatience } from "./patience.ts";
import type { Rooms } from "./rooms.ts";
import type { Settings } from "./settings.ts";
import type { Session } from "./sign-in.ts";
import { runSyncLoop } from "./sync-loop.ts";
import { loadSyncState } from "./sync-state.ts";
import { createTakeEvent } from "./take-event.ts";
import { createTellEncrypted } from "./tell-encrypted.ts";

export interface ListenOptions {
  /** Keeps the position. */
  readonly folder: string;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly context: ChannelContext;
  readonly settings: Settings;
  readonly session: Session;
  readonly rooms: Rooms;
  readonly known: KnownEvents;
}

/**
 * Hands over what people write, until the channel is stopped.
 * @throws as `runSyncLoop`.
 */
export async function listen(options: ListenOptions): Promise<void> {
  const { folder, clock, log, context, settings, rooms, known } = options;
  const { api, userId } = options.session;
  const { receive } = context;
  // What is under way ends with the loop, also when that ends by itself.
  const ending = new AbortController();
  const signal = AbortSignal.any([context.signal, ending.signal]);
  const state = await loadSyncState(createKeptFile(join(folder, "sync.json")), userId);
  const displayName = await withPatience({ clock, signal }, () => api.displayName(userId, signal));
  const mentions = createMentions({ userId, displayName });
  const { autoJoin, allowInvitesFrom } = settings;
  const invitations = createInvitations({
    api,
    userId,
    autoJoin,
    allowInvitesFrom,
    state,
    clock,
    log,
    signal,
  });
  const onEncrypted = createTellEncrypted({ api, state, log, signal });
  const takeEvent = createTakeEvent({
    api,
    userId,
    mentions,
    rooms,
    known,
    receive,
    onEncrypted,
    clock,
    log,
    signal,
  });
  try {
    await runSyncLoop({
      api,
      userId,
      state,
      rooms,
      invitations,
      takeEvent,
      onStored: (roomId, { eventId, threadId }) =>
        // Only a courtesy.
        void api.markRead({ roomId, eventId, threadId }, signal).catch(() => undefined),
      onEncrypted,
      clock,
      log,
      signal,
    });
  } finally {
    ending.abort();
    await invitations.settled();
  }
}
