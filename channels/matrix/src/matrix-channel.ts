import { join } from "node:path";
import type { ChannelContext, ChannelDefinition } from "@opentalon/plugin-sdk";
import type { ClientApi } from "./client-api.ts";
import { createGrowAnswer } from "./grow-answer.ts";
import { createGrowingAnswers } from "./growing-answers.ts";
import { createKeptFile } from "./kept-file.ts";
import { createKnownEvents } from "./known-events.ts";
import { listen } from "./listen.ts";
import { isSignedOut, toMessage } from "./matrix-error.ts";
import { type Clock, withPatience } from "./patience.ts";
import { createPoster } from "./post-event.ts";
import { createRecentMap } from "./recent-map.ts";
import { createRooms } from "./rooms.ts";
import { createSendMessage, type SendMessage } from "./send-message.ts";
import { readSettings, type Settings } from "./settings.ts";
import { type Session, signIn, toTokenWords } from "./sign-in.ts";
import { maxTextLength } from "./to-content.ts";

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
      const poster = createPoster({ api, userId, known, clock });
      const growAnswer = createGrowAnswer({ api, userId, answersAs, known, growing, poster });
      const send = createSendMessage({ api, answersAs, rooms, known, growAnswer, poster });
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
