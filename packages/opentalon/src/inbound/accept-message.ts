/**
 * Gets: a message as a channel understood it. Gives: whether it is on disk now.
 * Never: lets a message into the program that is not stored, or one that breaks the bounds every later stage relies on.
 */
import { formatDuration } from "../base/duration.ts";
import type { Log } from "../base/log.ts";
import { StoreError, toMessage } from "../base/errors.ts";
import type { AcceptOutcome } from "../domain/channel.ts";
import type { InboundMessage } from "../domain/message.ts";
import { type SessionScope, toSessionKey } from "../domain/session.ts";
import type { Turn } from "../domain/turn.ts";
import type { Inbox } from "../store/ports.ts";
import type { AccessDecision } from "./check-access.ts";
import type { MessageRate, RateLimit } from "./message-rate.ts";
import { isStopCommand } from "./stands-alone.ts";
import type { Tell } from "./tell-sender.ts";

export interface InboundOptions {
  readonly inbox: Inbox;
  readonly checkAccess: (message: InboundMessage) => Promise<AccessDecision>;
  readonly rate: MessageRate;
  /** What the configuration says of a channel. */
  readonly rulesOf: (channel: string) => {
    readonly rateLimit: RateLimit;
    readonly sessions: SessionScope;
  };
  readonly tell: Tell;
  /** Called once per stored message, in the order of storage. */
  readonly onAccepted: (turn: Turn) => void;
  readonly isStopping: () => boolean;
  readonly log: Log;
}

const maxIdentifierLength = 512;
const maxContentLength = 1_048_576;
const maxFiles = 32;
const maxFileNameLength = 1_024;
const maxFileBytes = 32 * 1024 * 1024;
const retryAfterMs = 2_000;

/** Makes the function channels hand their messages to. It never rejects. */
export function createAcceptMessage(
  options: InboundOptions,
): (message: InboundMessage) => Promise<AcceptOutcome> {
  const { inbox, checkAccess, rate, rulesOf, tell, onAccepted, isStopping, log } = options;

  /** Whether the message is one too many; its sender is told so once. */
  const isExcess = (message: InboundMessage, sender: string): boolean => {
    const limit = rulesOf(message.channel).rateLimit;
    const outcome = rate.take(sender, limit);
    if (outcome.kind === "within") return false;
    if (outcome.isFirst) {
      const { channel, senderId } = message;
      log.info({ channel, sender: senderId }, "a sender writes too fast; the rest is not read");
      void tell(message, toExcessWords(limit, outcome.waitMs), { action: "rate-limit" });
    }
    return true;
  };

  return async (raw) => {
    if (isStopping()) return refuse("OpenTalon is stopping", retryAfterMs);
    const problem = findProblem(raw);
    if (problem !== undefined) return refuse(problem, 0);
    const message = toWellFormed(raw);
    const access = await checkAccess(message);
    if (access.kind === "turned-away") return { kind: "accepted" };
    if (access.kind === "undecided")
      return refuse("who may talk could not be checked", retryAfterMs);
    const sender = toCountedSender(message);
    if (isExcess(message, sender)) return { kind: "accepted" };
    try {
      const sessionKey = toSessionKey(message, rulesOf(message.channel).sessions);
      const outcome = await inbox.accept(message, sessionKey);
      if (outcome.kind === "duplicate") {
        rate.giveBack(sender);
        return outcome;
      }
      onAccepted(outcome.entry);
      return { kind: "accepted" };
    } catch (error) {
      rate.giveBack(sender);
      log.error(
        { err: error, channel: message.channel },
        "a message could not be stored and was refused",
      );
      if (error instanceof StoreError && error.code === "STORE_INBOX_FULL") {
        return refuse("too many messages are waiting for an answer", retryAfterMs);
      }
      return refuse(`the message could not be stored (${toMessage(error)})`, retryAfterMs);
    }
  };
}

/** Who has written too much must still be able to stop what is under way. */
function toCountedSender(message: InboundMessage): string {
  return JSON.stringify([message.channel, message.senderId, isStopCommand(message)]);
}

function toExcessWords({ messages, perMs }: RateLimit, waitMs: number): string {
  const count = messages === 1 ? "one message" : `${messages} messages`;
  return `You write faster than I read: ${count} in ${formatDuration(perMs)}. I do not read what you wrote beyond that. Please go on in ${formatDuration(Math.max(1_000, waitMs))}.`;
}

function refuse(reason: string, afterMs: number): AcceptOutcome {
  return { kind: "refused", reason, retryAfterMs: afterMs };
}

function findProblem(message: InboundMessage): string | undefined {
  const identifiers = {
    "message id": message.platformMessageId,
    "conversation id": message.conversationId,
    "thread id": message.threadId,
    "sender id": message.senderId,
    "sender name": message.senderName,
  };
  for (const [name, value] of Object.entries(identifiers)) {
    if (value.length > maxIdentifierLength)
      return `the ${name} is longer than ${maxIdentifierLength} characters`;
  }
  if (message.platformMessageId === "") return "the message has no id";
  if (message.conversationId === "") return "the message has no conversation id";
  if (message.content.length > maxContentLength)
    return `the text is longer than ${maxContentLength} characters`;
  return findFileProblem(message);
}

function findFileProblem({ files }: InboundMessage): string | undefined {
  if (files.length > maxFiles) return `the message has more than ${maxFiles} files`;
  if (files.some(({ name, mimeType }) => name.length + mimeType.length > maxFileNameLength))
    return `the name of a file is longer than ${maxFileNameLength} characters`;
  const bytes = files.reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes > maxFileBytes)
    return `the files of the message are larger than ${maxFileBytes} bytes together`;
  return undefined;
}

/** Lone surrogates become U+FFFD here, once, so that no later stage meets text that is not text. */
function toWellFormed(message: InboundMessage): InboundMessage {
  return {
    ...message,
    platformMessageId: message.platformMessageId.toWellFormed(),
    conversationId: message.conversationId.toWellFormed(),
    threadId: message.threadId.toWellFormed(),
    senderId: message.senderId.toWellFormed(),
    senderName: message.senderName.toWellFormed(),
    content: message.content.toWellFormed(),
  };
}
