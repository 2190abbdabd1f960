import type { KeptFile } from "./kept-file.ts";
import { member, toList, toObject, toText } from "./read-json.ts";
import { createRecentMap, type RecentMap } from "./recent-map.ts";

/** An invitation that was accepted. */
export interface Invitation {
  /** What was written between the invitation and our arrival is answered too. */
  readonly takesEarlier: boolean;
  /** We are in the room already. */
  readonly isJoined: boolean;
}

/** What has to be known after a restart. */
export interface SyncState {
  /** Where the homeserver goes on; all before it was handed over. `undefined` before the first time. */
  since: string | undefined;
  /** By room, the last event that was handed over. */
  readonly lastEvents: RecentMap<string>;
  /** By room: invitations whose room has not appeared yet. */
  readonly invitations: RecentMap<Invitation>;
  /** Rooms that were told that we cannot read them. */
  readonly toldRooms: RecentMap<true>;
  /** Puts all of it on the disk at once. */
  readonly save: () => Promise<void>;
}

const maxRooms = 500;
const maxInvitations = 100;
const maxToldRooms = 1_000;

/** What is kept for another user counts as nothing. */
export async function loadSyncState(file: KeptFile, userId: string): Promise<SyncState> {
  const found = await file.read();
  const kept = member(found, "user_id") === userId ? toObject(found) : {};
  const since = toText(kept["since"]);
  const toTexts = (value: unknown): [string, string][] =>
    Object.entries(toObject(value)).map(([key, text]) => [key, toText(text)]);
  const lastEvents = createRecentMap(maxRooms, toTexts(kept["last_events"]));
  const invitations = createRecentMap<Invitation>(
    maxInvitations,
    Object.entries(toObject(kept["invitations"])).map(([roomId, invitation]) => [
      roomId,
      {
        takesEarlier: member(invitation, "takes_earlier") === true,
        isJoined: member(invitation, "is_joined") === true,
      },
    ]),
  );
  const toldRooms = createRecentMap<true>(
    maxToldRooms,
    toList(kept["told_rooms"]).map((roomId) => [toText(roomId), true]),
  );
  let saving = Promise.resolve();
  const state: SyncState = {
    since: since === "" ? undefined : since,
    lastEvents,
    invitations,
    toldRooms,
    save: () => {
      const write = (): Promise<void> =>
        file.write({
          user_id: userId,
          since: state.since ?? "",
          last_events: Object.fromEntries(lastEvents.entries()),
          invitations: Object.fromEntries(
            invitations
              .entries()
              .map(([roomId, { takesEarlier, isJoined }]) => [
                roomId,
                { takes_earlier: takesEarlier, is_joined: isJoined },
              ]),
          ),
          told_rooms: toldRooms.entries().map(([roomId]) => roomId),
        });
      const written = saving.then(write);
      saving = written.catch(() => undefined);
      return written;
    },
  };
  return state;
}
