import type { Homeserver, HomeserverAnswer } from "./homeserver.ts";
import { MatrixError } from "./matrix-error.ts";
import { member, toCount, toList, toObject, toText, type JsonObject } from "./read-json.ts";

/** The requests of Matrix' client-server API this channel makes. All throw `MatrixError`. */
export interface ClientApi {
  readonly whoAmI: (signal: AbortSignal) => Promise<{ userId: string; deviceId: string }>;
  /** Empty when the user has none. */
  readonly displayName: (userId: string, signal: AbortSignal) => Promise<string>;
  /** What is new since the token; waits up to `waitMs` for it. */
  readonly sync: (
    options: { since: string | undefined; filter: JsonObject; waitMs: number },
    signal: AbortSignal,
  ) => Promise<JsonObject>;
  /** Events before the token, newest first, down to the other one. `end` is empty at the end. */
  readonly messagesBefore: (
    options: { roomId: string; from: string; to: string; limit: number; filter: JsonObject },
    signal: AbortSignal,
  ) => Promise<{ events: readonly unknown[]; state: readonly unknown[]; end: string }>;
  readonly event: (roomId: string, eventId: string, signal: AbortSignal) => Promise<JsonObject>;
  /** Names by user. */
  readonly joinedMembers: (
    roomId: string,
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<string, string>>;
  readonly join: (roomId: string, signal: AbortSignal) => Promise<void>;
  /** Gives the event's id; the same one for a transaction the homeserver has seen. */
  readonly sendEvent: (
    event: { roomId: string; type: string; transactionId: string; content: JsonObject },
    signal: AbortSignal,
  ) => Promise<string>;
  readonly setTyping: (
    place: { roomId: string; userId: string; forMs: number },
    signal: AbortSignal,
  ) => Promise<void>;
  /** `threadId` is `main` outside threads. */
  readonly markRead: (
    place: { roomId: string; eventId: string; threadId: string },
    signal: AbortSignal,
  ) => Promise<void>;
  /** Gives the file's address, `mxc://…`. */
  readonly upload: (
    file: { name: string; mimeType: string; data: Uint8Array },
    signal: AbortSignal,
  ) => Promise<string>;
  readonly download: (
    address: MediaAddress,
    maxBytes: number,
    signal: AbortSignal,
  ) => Promise<HomeserverAnswer>;
}

export interface MediaAddress {
  readonly server: string;
  readonly id: string;
}

const client = ["_matrix", "client", "v3"] as const;
const syncGraceMs = 30_000;
const maxSyncBytes = 64 * 1024 * 1024;
const mediaTimeoutMs = 120_000;
/** Homeservers ask others for what is theirs. */
const joinTimeoutMs = 180_000;

export function createClientApi({ ask, load }: Homeserver): ClientApi {
  const whoAmI: ClientApi["whoAmI"] = async (signal) => {
    const answer = await ask({ method: "GET", path: [...client, "account", "whoami"], signal });
    const userId = toText(member(answer, "user_id"));
    if (userId === "") throw incomplete("whoami", "user_id");
    return { userId, deviceId: toText(member(answer, "device_id")) };
  };

  return {
    whoAmI,
    displayName: async (userId, signal) => {
      const path = [...client, "profile", userId, "displayname"];
      return ask({ method: "GET", path, signal }).then(
        (answer) => toText(member(answer, "displayname")),
        (error: unknown) => {
          if (error instanceof MatrixError && error.status === 404) return "";
          throw error;
        },
      );
    },
    sync: async ({ since, filter, waitMs }, signal) => {
      const answer = await ask({
        method: "GET",
        path: [...client, "sync"],
        query: {
          filter: JSON.stringify(filter),
          timeout: String(waitMs),
          ...(since === undefined ? {} : { since }),
        },
        timeoutMs: waitMs + syncGraceMs + (since === undefined ? 90_000 : 0),
        maxBytes: maxSyncBytes,
        signal,
      });
      if (toText(member(answer, "next_batch")) === "") throw incomplete("sync", "next_batch");
      return toObject(answer);
    },
    messagesBefore: async ({ roomId, from, to, limit, filter }, signal) => {
      const answer = await ask({
        method: "GET",
        path: [...client, "rooms", roomId, "messages"],
        query: { dir: "b", from, to, limit: String(limit), filter: JSON.stringify(filter) },
        maxBytes: maxSyncBytes,
        timeoutMs: 60_000,
        signal,
      });
      return {
        events: toList(member(answer, "chunk")),
        state: toList(member(answer, "state")),
        end: toText(member(answer, "end")),
      };
    },
    event: async (roomId, eventId, signal) =>
      toObject(
        await ask({ method: "GET", path: [...client, "rooms", roomId, "event", eventId], signal }),
      ),
    joinedMembers: async (roomId, signal) => {
      const path = [...client, "rooms", roomId, "joined_members"];
      const answer = await ask({ method: "GET", path, signal });
      return new Map(
        Object.entries(toObject(member(answer, "joined"))).map(([userId, profile]) => [
          userId,
          toText(member(profile, "display_name")),
        ]),
      );
    },
    join: async (roomId, signal) => {
      const path = [...client, "join", roomId];
      await ask({ method: "POST", path, json: {}, timeoutMs: joinTimeoutMs, signal });
    },
    sendEvent: async ({ roomId, type, transactionId, content }, signal) => {
      const path = [...client, "rooms", roomId, "send", type, transactionId];
      const answer = await ask({ method: "PUT", path, json: content, signal });
      const eventId = toText(member(answer, "event_id"));
      if (eventId === "") throw incomplete("send", "event_id");
      return eventId;
    },
    setTyping: async ({ roomId, userId, forMs }, signal) => {
      const path = [...client, "rooms", roomId, "typing", userId];
      const json = forMs > 0 ? { typing: true, timeout: forMs } : { typing: false };
      await ask({ method: "PUT", path, json, signal });
    },
    markRead: async ({ roomId, eventId, threadId }, signal) => {
      const path = [...client, "rooms", roomId, "receipt", "m.read", eventId];
      await ask({ method: "POST", path, json: { thread_id: threadId }, signal });
    },
    upload: async ({ name, mimeType, data }, signal) => {
      const answer = await ask({
        method: "POST",
        path: ["_matrix", "media", "v3", "upload"],
        query: { filename: name },
        bytes: { data, mimeType },
        timeoutMs: mediaTimeoutMs,
        signal,
      });
      const uri = toText(member(answer, "content_uri"));
      if (parseMediaAddress(uri) === undefined) throw incomplete("upload", "content_uri");
      return uri;
    },
    download: async ({ server, id }, maxBytes, signal) => {
      const rest = { timeoutMs: mediaTimeoutMs, maxBytes, signal, followsRedirects: true };
      const path = ["_matrix", "client", "v1", "media", "download", server, id];
      try {
        return await load({ method: "GET", path, ...rest });
      } catch (error) {
        // Homeservers before version 1.11 of the specification know only the older address.
        if (!(error instanceof MatrixError) || error.code !== "M_UNRECOGNIZED") throw error;
        const older = ["_matrix", "media", "v3", "download", server, id];
        return load({ method: "GET", path: older, ...rest });
      }
    },
  };
}

/** An address `mxc://server/id`; `undefined` for anything else. */
export function parseMediaAddress(uri: unknown): MediaAddress | undefined {
  const match = /^mxc:\/\/([A-Za-z0-9.:[\]-]{1,255})\/([A-Za-z0-9_-]{1,255})$/.exec(toText(uri));
  const [, server = "", id = ""] = match ?? [];
  return match === null ? undefined : { server, id };
}

/** Number of members of a room's summary; `undefined` when nothing was said of them. */
export function readMemberCount(summary: unknown): number | undefined {
  const joined = toCount(member(summary, "m.joined_member_count"));
  return joined === undefined
    ? undefined
    : joined + (toCount(member(summary, "m.invited_member_count")) ?? 0);
}

function incomplete(request: string, name: string): MatrixError {
  return new MatrixError(`the homeserver's answer to ${request} has no ${name}`, { status: 502 });
}
