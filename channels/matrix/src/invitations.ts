import type { ClientApi } from "./client-api.ts";
import { isPassing, toMessage } from "./matrix-error.ts";
import { createPauses, type Clock } from "./patience.ts";
import { member, toList, toText } from "./read-json.ts";
import type { AutoJoin } from "./settings.ts";
import type { SyncState } from "./sync-state.ts";

export interface InvitationsOptions {
  readonly api: Pick<ClientApi, "join">;
  readonly userId: string;
  readonly autoJoin: AutoJoin;
  readonly allowInvitesFrom: readonly string[];
  readonly state: SyncState;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Decides about invitations and follows those it accepts. */
export interface Invitations {
  /** Notes an invitation that is accepted; `save` the state, then `follow`. */
  readonly take: (roomId: string, invitedRoom: unknown, takesEarlier: boolean) => void;
  /** Enters the rooms that were noted, one after the other, beside everything else. */
  readonly follow: () => void;
  /** Resolves when nothing is under way any more. */
  readonly settled: () => Promise<void>;
}

const maxAttempts = 20;
/** Strangers cannot have us enter more direct chats than these. */
const maxFromStrangers = 20;
const strangerWindowMs = 3_600_000;

export function createInvitations(options: InvitationsOptions): Invitations {
  const { api, userId, autoJoin, allowInvitesFrom, state, clock, log, signal } = options;
  const fromStrangers: number[] = [];
  let following: Promise<void> = Promise.resolve();

  /** Why it is left alone; `undefined` when it is accepted. */
  const findObjection = ({ inviter, isDirect }: Invite): string | undefined => {
    if (autoJoin === "nobody") return "`auto_join` is false";
    if (allowInvitesFrom.some((allowed) => matches(inviter, allowed))) return undefined;
    if (autoJoin === "everyone") return undefined;
    if (autoJoin === "allowlist" || !isDirect)
      return "set `allow_invites_from` to accept invitations of this person";
    const nowMs = clock.nowMs();
    while ((fromStrangers[0] ?? nowMs) < nowMs - strangerWindowMs) fromStrangers.shift();
    if (fromStrangers.length >= maxFromStrangers)
      return `there were ${maxFromStrangers} of strangers within an hour`;
    fromStrangers.push(nowMs);
    return undefined;
  };

  const enter = async (roomId: string): Promise<void> => {
    const toPauseMs = createPauses();
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      try {
        await api.join(roomId, signal);
        const noted = state.invitations.get(roomId);
        // It may have appeared in a sync meanwhile, which is the end of its story.
        if (noted !== undefined) state.invitations.set(roomId, { ...noted, isJoined: true });
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error) || attempt === maxAttempts) {
          log(`the invitation to ${roomId} could not be followed: ${toMessage(error)}`);
          state.invitations.delete(roomId);
          return;
        }
        await clock.sleep(toPauseMs(error), signal);
      }
    }
  };

  const enterAll = async (): Promise<void> => {
    for (const [roomId, { isJoined }] of state.invitations.entries()) {
      if (signal.aborted) return;
      if (!isJoined) await enter(roomId);
    }
  };

  return {
    take: (roomId, invitedRoom, takesEarlier) => {
      if (state.invitations.get(roomId) !== undefined) return;
      const invite = readInvite(invitedRoom, userId);
      const objection = findObjection(invite);
      if (objection === undefined) {
        state.invitations.set(roomId, { takesEarlier, isJoined: false });
        return;
      }
      const who = JSON.stringify(invite.inviter);
      log(`an invitation of ${who} to ${JSON.stringify(roomId)} is not accepted: ${objection}`);
    },
    follow: () => {
      following = following.then(enterAll).catch((error: unknown) => log(toMessage(error)));
    },
    settled: () => following,
  };
}

interface Invite {
  readonly inviter: string;
  readonly isDirect: boolean;
}

/** Our own membership says who invites us, and to what. */
function readInvite(invitedRoom: unknown, userId: string): Invite {
  const own = toList(member(member(invitedRoom, "invite_state"), "events")).find(
    (event) =>
      member(event, "type") === "m.room.member" &&
      member(event, "state_key") === userId &&
      member(member(event, "content"), "membership") === "invite",
  );
  return {
    inviter: toText(member(own, "sender")),
    isDirect: member(member(own, "content"), "is_direct") === true,
  };
}

function matches(user: string, allowed: string): boolean {
  if (!allowed.startsWith("@*:")) return user === allowed;
  const server = allowed.slice(2);
  return user.startsWith("@") && user.slice(user.indexOf(":")) === server;
}
