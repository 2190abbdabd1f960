/**
 * A chat in the browser: a page at the HTTP door and a WebSocket behind it. What was said is kept, so that a person who
 * comes back, also after a restart, finds the conversation and the answers that came meanwhile.
 */
import type { Clock } from "../../base/clock.ts";
import { isEqualText } from "../../base/equal-text.ts";
import { ChannelError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { SocketRequest, VisitorSocket } from "../../base/socket-route.ts";
import type { Secret } from "../../base/secret.ts";
import { type Channel, type ChannelHost, plainCapabilities } from "../../domain/channel.ts";
import type { InboundMessage } from "../../domain/message.ts";
import { DeliveryError } from "../delivery-error.ts";
import { createLiveText } from "../live-text.ts";
import { misconfigured, readSecret, readSetting, readTexts } from "../read-setting.ts";
import { createOrderedWork, type OrderedWork } from "../websocket/ordered-work.ts";
import { type ChatFrame, parseChatFrame } from "./chat-frames.ts";
import type { ChatInlet } from "./chat-inlet.ts";
import type { ChatMemory } from "./chat-memory.ts";
import { type ChatSessions, openChatSessions } from "./chat-session.ts";
import { type ChatEntry, createTranscripts, toChatFile } from "./transcript.ts";
import { createVisitors } from "./visitors.ts";

export interface WebChatChannelOptions {
  /** Instance name: the key under `channels:`, and the last part of the page's address. */
  readonly name: string;
  /** The entry's `config`: `token`, `title`, `origins`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly inlet: ChatInlet;
  /** Whether the HTTP door knows its callers by other means. */
  readonly doorChecksCallers: boolean;
  /** The door's token, which lets people in where the channel has none of its own. */
  readonly doorToken: Secret | undefined;
  readonly memory: ChatMemory;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long a wrong token waits for its answer, so that guessing takes time. */
const wrongTokenMs = 1_000;
/** How long a conversation is kept in which nothing is said. */
const keptMs = 30 * 24 * 3_600_000;
const firstSweepMs = 60_000;
const sweepIntervalMs = 24 * 3_600_000;
/** What of a reply's metadata the page is told. */
const shownMetadata = ["in_reply_to", "type", "error_code", "options", "tool_call_id"];

/** @throws ChannelError CHANNEL_MISCONFIGURED when a setting has the wrong form, or everybody would be let in. */
export function createWebChatChannel(options: WebChatChannelOptions): Channel {
  const { name, config, inlet, doorChecksCallers, doorToken, memory, clock, log } = options;
  const token = readSecret(name, config, "token") ?? doorToken;
  if (token === undefined && !doorChecksCallers) {
    throw misconfigured(
      `channel ${name} has no token and the HTTP door is open to other machines: set config.token`,
    );
  }
  const transcripts = createTranscripts({ channel: name, memory });
  const visitors = createVisitors();
  let sessions: Promise<ChatSessions> | undefined;
  let host: ChannelHost | undefined;
  let cancelSweep = (): void => {};

  const openSessions = (): Promise<ChatSessions> => {
    sessions ??= openChatSessions({ channel: name, token, memory, now: clock.now });
    // A store that was away once is asked again.
    sessions.catch(() => (sessions = undefined));
    return sessions;
  };
  const sweepLater = (delayMs: number): void => {
    cancelSweep = clock.after(delayMs, () => {
      transcripts.forgetOld(clock.now() - keptMs).catch((error: unknown) => {
        log.warn({ err: error }, "old chats could not be removed");
      });
      sweepLater(sweepIntervalMs);
    });
  };

  const admit = async (
    { token: given, session }: ChatFrame & { kind: "hello" },
    { isTrusted }: SocketRequest,
  ): Promise<{ conversation: string; session: string } | undefined> => {
    const known = await openSessions();
    const own = known.read(session, clock.now());
    // Without a token the door is asked each time: what it lets in today it need not let in tomorrow.
    const isAdmitted =
      token === undefined ? isTrusted : own !== undefined || isEqualText(given, token.reveal());
    return isAdmitted ? known.issue(own) : undefined;
  };

  const greet = (socket: VisitorSocket, request: SocketRequest): void => {
    const work = createOrderedWork(socket);
    socket.onMessage((text) => {
      // What comes behind it waits until it is clear who this is.
      socket.pause();
      const hello = readHello(text);
      if (hello === undefined) return socket.close(4400, "say hello first");
      admit(hello, request)
        .then(async (admitted) => {
          if (admitted === undefined) {
            if (hello.token !== "") await clock.sleep(wrongTokenMs);
            work.answer({ type: "token-needed", wrong: hello.token !== "" });
            socket.close(4401, "a token is needed");
            return;
          }
          socket.welcome();
          await welcome(socket, work, admitted, hello.last);
        })
        .catch((error: unknown) => {
          log.error({ err: error }, "a chat could not be opened");
          socket.close(1011, "something went wrong inside");
        });
    });
  };

  const welcome = async (
    socket: VisitorSocket,
    work: OrderedWork,
    { conversation, session }: { conversation: string; session: string },
    last: number,
  ): Promise<void> => {
    // Joined before what is there was read: what comes meanwhile may come twice, which the page sees by its number.
    visitors.join(conversation, socket);
    const entries = await transcripts.readAfter(conversation, last);
    work.answer({ type: "welcome", session, entries });
    socket.onMessage((text) => {
      work.add(conversation, text.length, async () => work.answer(await take(conversation, text)));
    });
    socket.resume();
  };

  /** @returns what the page is told. */
  const take = async (
    conversation: string,
    text: string,
  ): Promise<Readonly<Record<string, unknown>>> => {
    let frame: ChatFrame;
    try {
      frame = parseChatFrame(text);
    } catch (error) {
      if (error instanceof ChannelError)
        return { type: "error", id: findId(text), error: toMessage(error) };
      throw error;
    }
    if (frame.kind === "hello") return { type: "error", id: "", error: "hello was said already" };
    const { id } = frame;
    if (host === undefined) {
      return { type: "error", id, error: "no messages are taken right now", retry_after_ms: 5_000 };
    }
    const message = toInbound(conversation, frame, clock.now());
    const outcome = await host.accept(message);
    if (outcome.kind === "refused") {
      const retry = outcome.retryAfterMs > 0 ? { retry_after_ms: outcome.retryAfterMs } : {};
      return { type: "error", id, error: outcome.reason, ...retry };
    }
    if (frame.kind === "message") await note(conversation, toPersonEntry(message));
    return { type: "ack", id };
  };

  /** Keeps it and shows it wherever the conversation is open. */
  const note = async (conversation: string, entry: Omit<ChatEntry, "seq">): Promise<void> => {
    try {
      const added = await transcripts.append(conversation, entry);
      if (added !== undefined) visitors.tell(conversation, { type: "entry", entry: added });
    } catch (error) {
      log.error({ err: error }, "what was said in a chat could not be kept");
      throw new DeliveryError("the conversation could not be written down", {
        outcome: "not-delivered",
        cause: error,
      });
    }
  };

  const live = createLiveText({
    clock,
    show: ({ message }, step) =>
      visitors.showLive(message.conversationId, {
        ...step,
        type: "live",
        to: message.platformMessageId,
      }),
  });
  const disconnect = inlet.connect(name, {
    title: readSetting(config, "title", "string") ?? "Chat",
    origins: new Set(readTexts(config, "origins")),
    open: greet,
  });

  return {
    name,
    kind: "webchat",
    capabilities: () => ({
      ...plainCapabilities,
      files: true,
      reactions: true,
      responseFormat: "markdown",
    }),
    // A reply is known by its delivery id.
    knowsRepeats: true,
    start: async (channelHost) => {
      host = channelHost;
      sweepLater(firstSweepMs);
    },
    stopIntake: async () => {
      host = undefined;
    },
    send: async ({ conversationId, content, files, metadata }, deliveryId) => {
      if (metadata["_typing"] === "true") {
        const to = metadata["in_reply_to"];
        if (to !== undefined)
          visitors.showLive(conversationId, { type: "live", kind: "typing", to });
        return undefined;
      }
      await note(conversationId, {
        id: deliveryId,
        from: "assistant",
        content,
        files: files.map(toChatFile),
        metadata: Object.fromEntries(
          Object.entries(metadata).filter(([key]) => shownMetadata.includes(key)),
        ),
        at_ms: clock.now(),
      });
      return { messageIds: [deliveryId] };
    },
    show: live.take,
    [Symbol.asyncDispose]: async () => {
      host = undefined;
      cancelSweep();
      disconnect();
      live.close();
      await visitors.close();
    },
  };
}

function readHello(text: string): (ChatFrame & { kind: "hello" }) | undefined {
  try {
    const frame = parseChatFrame(text);
    return frame.kind === "hello" ? frame : undefined;
  } catch {
    return undefined;
  }
}

/** The identity of a frame that could not be read, so that the page knows which one it was. */
function findId(text: string): string {
  return /"id":"([\w-]{8,64})"/.exec(text.slice(0, 512))?.[1] ?? "";
}

type Said = Exclude<ChatFrame, { kind: "hello" }>;

/** Identities are told apart by conversation, so that nobody takes one from somebody else. */
function toInbound(
  conversation: string,
  frame: Said,
  nowMs: number,
): Omit<InboundMessage, "channel"> {
  const said = {
    channelKind: "webchat",
    platformMessageId: `${conversation}:${frame.id}`,
    conversationId: conversation,
    threadId: "",
    senderId: conversation,
    senderName: "",
    content: "",
    files: [],
    metadata: {},
    sentAtMs: nowMs,
  };
  switch (frame.kind) {
    case "message":
      return { ...said, content: frame.content, files: frame.files };
    case "reaction":
      return { ...said, metadata: { reaction: frame.reaction, reaction_to: frame.to } };
    case "confirmation":
      return {
        ...said,
        metadata: { confirmation: frame.choice, tool_call_id: frame.toolCallId },
      };
  }
}

function toPersonEntry(message: Omit<InboundMessage, "channel">): Omit<ChatEntry, "seq"> {
  const { platformMessageId, content, files, sentAtMs } = message;
  return {
    id: platformMessageId,
    from: "person",
    content,
    files: files.map(toChatFile),
    metadata: {},
    at_ms: sentAtMs,
  };
}
