import { readMemberCount, type ClientApi } from "./client-api.ts";
import { isFinal } from "./matrix-error.ts";
import { member, toText } from "./read-json.ts";
import { createRecentMap } from "./recent-map.ts";

/** What is known of rooms, and asked for where it is not. */
export interface Rooms {
  /** Takes what a sync says of a room besides its messages. */
  readonly learn: (roomId: string, summary: unknown, state: readonly unknown[]) => void;
  /** Takes the arrival, departure or new name of a member. */
  readonly learnMember: (roomId: string, event: unknown) => void;
  readonly forget: (roomId: string) => void;
  /** A person alone with us. Rooms that cannot be looked at are none. */
  readonly isDirect: (roomId: string, signal: AbortSignal) => Promise<boolean>;
  /** The name the person has there; a part of the identifier when it is not known. */
  readonly nameOf: (roomId: string, userId: string) => string;
}

const maxRooms = 2_000;
const maxNames = 10_000;

export function createRooms(api: Pick<ClientApi, "joinedMembers">): Rooms {
  const counts = createRecentMap<number>(maxRooms);
  const names = createRecentMap<string>(maxNames);
  const toKey = (roomId: string, userId: string): string => `${roomId} ${userId}`;

  const learnMember = (roomId: string, event: unknown): void => {
    const name = toText(member(member(event, "content"), "displayname"));
    const userId = toText(member(event, "state_key"));
    if (name === "") names.delete(toKey(roomId, userId));
    else names.set(toKey(roomId, userId), name);
  };

  return {
    learnMember: (roomId, event) => {
      learnMember(roomId, event);
      const { now, before } = readMembership(event);
      // Whoever came or went changed the number; a summary that comes along says it anew.
      if (now !== before) counts.delete(roomId);
    },
    learn: (roomId, summary, state) => {
      for (const event of state) {
        if (member(event, "type") === "m.room.member") learnMember(roomId, event);
      }
      const count = readMemberCount(summary);
      if (count !== undefined) counts.set(roomId, count);
    },
    forget: (roomId) => counts.delete(roomId),
    isDirect: async (roomId, signal) => {
      let count = counts.get(roomId);
      if (count === undefined) {
        const members = await api.joinedMembers(roomId, signal).catch((error: unknown) => {
          if (!isFinal(error)) throw error;
          return undefined;
        });
        for (const [userId, name] of members ?? []) {
          if (name !== "") names.set(toKey(roomId, userId), name);
        }
        count = members?.size ?? Number.POSITIVE_INFINITY;
        counts.set(roomId, count);
      }
      return count <= 2;
    },
    nameOf: (roomId, userId) => names.get(toKey(roomId, userId)) ?? toLocalPart(userId),
  };
}

/** `ada` of `@ada:example.org`. */
export function toLocalPart(userId: string): string {
  return /^@([^:]+):/.exec(userId)?.[1] ?? userId;
}

export interface Membership {
  readonly userId: string;
  readonly now: string;
  readonly before: string;
}

/** Who a membership event is about, and what changed. */
export function readMembership(event: unknown): Membership {
  const earlier =
    member(member(event, "unsigned"), "prev_content") ?? member(event, "prev_content");
  return {
    userId: toText(member(event, "state_key")),
    now: toText(member(member(event, "content"), "membership")),
    before: toText(member(earlier, "membership")),
  };
}
