import { join } from "node:path";
import type { ChannelContext, ChannelDefinition } from "@opentalon/plugin-sdk";
import type { ClientApi } from "./client-api.ts";
import { createGrowingAnswers } from "./growing-answers.ts";
import { createInvitations } from "./invitations.ts";
import { createKeptFile } from "./kept-file.ts";
import { createKnownEvents } from "./known-events.ts";
import { isSignedOut, toMessage } from "./matrix-error.ts";
import { createMentions } from "./mentions.ts";
import { type Clock, withPatience } from "./patience.ts";
import { createRecentMap } from "./recent-map.ts";
import { createRooms } from "./rooms.ts";
import { createSendMessage, type SendMessage } from "./send-message.ts";
import { readSettings, type Settings } from "./settings.ts";
import { type Session, signIn, toTokenWords } from "./sign-in.ts";
import { runSyncLoop } from "./sync-loop.ts";
import { loadSyncState, type SyncState } from "./sync-state.ts";
import { createTakeEvent } from "./take-event.ts";
import { maxTextLength, toTextContent } from "./to-content.ts";
import { toTransactionId } from "./transaction-id.ts";

export interface MatrixChannelOptions {
  /** Keeps the position, the login and answers that grow, in files only this user can read. */
  readonly folder: string;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly log: (line: string) => void;
}

/** Signed in and listening. */
interface Connection {
  readonly api: ClientApi;
  readonly userId: string;
  readonly send: SendMessage;
  /** Aborts when it ends. */
  readonly signal: AbortSignal;
}

const typingMs = 30_000;
const maxTypingRooms = 1_000;
const encryptedWords =
  "This room is encrypted, and I cannot read encrypted messages. Please write to me in a room without encryption; a new one has a switch for it.";

/** The channel for Matrix, not started. */
export function createMatrixChannel(options: MatrixChannelOptions): ChannelDefinition {
  const { folder, log } = options;
  const growing = createGrowingAnswers(createKeptFile(join(folder, "answers.json")));
  let settings: Settings | undefined;
  let connection: Connection | undefined;

  const start = async (context: ChannelContext): Promise<void> => {
    if (settings === undefined) throw new Error("the channel is not configured");
    try {
      const session = await signInPatiently(settings, context.signal, options);
      if (session === undefined) return;
      const { api, userId } = session;
      const rooms = createRooms(api);
      const known = createKnownEvents(api, userId);
      const { answersAs } = settings;
      const { clock } = options;
      const send = createSendMessage({ api, userId, answersAs, rooms, known, growing, clock });
      connection = { api, userId, send, signal: context.signal };
      log(`signed in as ${userId}`);
      await listen({ ...options, context, settings, session, rooms, known });
    } catch (error) {
      if (context.signal.aborted) return;
      throw isSignedOut(error) ? new Error(toEndWords(settings), { cause: error }) : error;
    } finally {
      connection = undefined;
    }
  };

  /** By room, that people see us writing there. */
  const typing = createRecentMap<true>(maxTypingRooms);

  const connected = (): Connection => {
    if (connection === undefined) throw new Error("the homeserver is not connected yet");
    return connection;
  };

  return {
    id: "matrix",
    name: "Matrix",
    capabilities: {
      threads: true,
      files: true,
      reactions: true,
      edits: true,
      liveUpdates: true,
      knowsRepeats: true,
      maxMessageLength: maxTextLength,
      responseFormat: "markdown",
    },
    onConfigure: (config) => {
      settings = readSettings(config);
    },
    start,
    send: async (message, { signal }) => {
      const { api, userId, send } = connected();
      const posted = await send(message, signal);
      const roomId = message.conversationId;
      if (message.metadata["_live_state"] !== "partial" && typing.get(roomId) === true) {
        typing.delete(roomId);
        // It ends by itself, only later.
        api.setTyping({ roomId, userId, forMs: 0 }, signal).catch(() => undefined);
      }
      return posted;
    },
    typing: async ({ conversationId: roomId }) => {
      const { api, userId, signal } = connected();
      typing.set(roomId, true);
      await api.setTyping({ roomId, userId, forMs: typingMs }, signal);
    },
  };
}

function toEndWords({ credentials, homeserver }: Settings): string {
  if (credentials.kind === "token") return toTokenWords(homeserver);
  return "the homeserver ended our login (M_UNKNOWN_TOKEN); it is made anew";
}

/** `undefined` when the channel was stopped before the homeserver answered. */
async function signInPatiently(
  settings: Settings,
  signal: AbortSignal,
  { folder, fetch, clock, log }: MatrixChannelOptions,
): Promise<Session | undefined> {
  const sessionFile = createKeptFile(join(folder, "session.json"));
  const onRetry = (error: unknown, pauseMs: number): void =>
    log(`not signed in yet, trying again in ${pauseMs / 1_000} s: ${toMessage(error)}`);
  try {
    return await withPatience({ clock, signal, onRetry }, () =>
      signIn({ settings, sessionFile, fetch, signal }),
    );
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

interface ListenOptions extends MatrixChannelOptions {
  readonly context: ChannelContext;
  readonly settings: Settings;
  readonly session: Session;
  readonly rooms: ReturnType<typeof createRooms>;
  readonly known: ReturnType<typeof createKnownEvents>;
}

/** Resolves when the channel is stopped. */
async function listen(options: ListenOptions): Promise<void> {
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

interface TellEncryptedOptions {
  readonly api: Pick<ClientApi, "sendEvent">;
  readonly state: SyncState;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Says in a room, once, that nobody is answered there. */
function createTellEncrypted({ api, state, log, signal }: TellEncryptedOptions) {
  return (roomId: string): void => {
    if (state.toldRooms.get(roomId) === true) return;
    state.toldRooms.set(roomId, true);
    log(
      `the room ${roomId} is encrypted: what is written there cannot be read and is not answered`,
    );
    const place = { threadId: "", replyTo: "", mentioned: "" };
    const content = toTextContent(encryptedWords, { kind: "m.notice", place, marks: {} });
    const transactionId = toTransactionId("encrypted", roomId);
    api
      .sendEvent({ roomId, type: "m.room.message", transactionId, content }, signal)
      .catch((error: unknown) => log(`${roomId} could not be told so: ${toMessage(error)}`));
  };
}
