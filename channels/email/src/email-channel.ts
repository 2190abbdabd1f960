import { randomUUID } from "node:crypto";
import {
  type ChannelContext,
  type ChannelDefinition,
  type IncomingMessage,
  type OutgoingMessage,
  UnknownDeliveryError,
} from "@opentalon/plugin-sdk";
import { type AccessTokens, createAccessTokens } from "./access-tokens.ts";
import { composeMail } from "./compose-mail.ts";
import { judgeMail } from "./judge-mail.ts";
import { toDomain, toOneLine } from "./mail-address.ts";
import { type KnownMail, type MailMemory, openMailMemory } from "./mail-memory.ts";
import { toName } from "./message-ids.ts";
import { readMail } from "./read-mail.ts";
import { type EmailSettings, readSettings } from "./read-settings.ts";
import { createSendQueue } from "./send-queue.ts";
import { sendMail } from "./send-mail.ts";
import { toIncomingMessage } from "./to-incoming-message.ts";
import { type RawMail, watchMailbox } from "./watch-mailbox.ts";

export interface EmailChannelOptions {
  /** Where it keeps what it has to know after a restart. */
  readonly folder: string;
  readonly log: (line: string) => void;
  readonly now: () => number;
  readonly sleep: (timeMs: number, signal: AbortSignal) => Promise<void>;
  /** Two minutes unless said. */
  readonly pollIntervalMs?: number;
}

interface Account {
  readonly settings: EmailSettings;
  readonly tokens: AccessTokens | undefined;
  readonly memory: MailMemory;
}

const usualPollIntervalMs = 120_000;
const hourMs = 3_600_000;
/** So many times as of one thread may come of one person in an hour. */
const threadsAtOnce = 3;

/** Mails to one address are messages, answers to them are mails. */
export function createEmailChannel(options: EmailChannelOptions): ChannelDefinition {
  const { folder, log, now, sleep, pollIntervalMs = usualPollIntervalMs } = options;
  let account: Account | undefined;
  const queue = createSendQueue();

  const useAccount = (): Account => {
    if (account === undefined) throw new Error("the channel is not configured");
    return account;
  };

  /** Whether the mail was handed over. */
  const take = async (
    raw: RawMail,
    { settings, memory }: Account,
    receive: ChannelContext["receive"],
  ): Promise<boolean> => {
    const ignore = (reason: string, sender = ""): false => {
      log(`mail ${raw.uid}${sender === "" ? "" : ` from ${sender}`} is not answered: ${reason}`);
      return false;
    };
    const mail = await readMail(raw.source, raw.isCut).catch((error: unknown) =>
      toOneLine(String(error)),
    );
    if (typeof mail === "string") return ignore(`it cannot be read: ${mail}`);
    const verdict = judgeMail(mail, settings);
    if (verdict.kind === "ignore") return ignore(verdict.reason, mail.from[0]?.address);
    const { message, known } = toIncomingMessage(mail, verdict, raw, { memory, nowMs: now() });
    if (isEmpty(message)) return ignore("it is empty", verdict.sender);
    if (memory.find(known.conversation, known.name) === undefined) {
      const { ofThread, ofConversation } = memory.countSince(
        known.conversation,
        known.threadId,
        now() - hourMs,
      );
      const most = settings.maxMailsPerHour;
      if (ofThread >= most || ofConversation >= most * threadsAtOnce)
        return ignore("too many came within an hour (config.max_mails_per_hour)", verdict.sender);
      // Before it is handed over: the answer may be there before that is done.
      memory.add(known);
    }
    await receive(message);
    return true;
  };

  return {
    id: "email",
    name: "E-mail",
    capabilities: {
      threads: true,
      files: true,
      reactions: true,
      responseFormat: "markdown",
      responseFormatPrompt:
        "Answers are e-mails: write whole sentences, and no signature. Only simple Markdown is shown.",
    },
    onConfigure: (config) => {
      const settings = readSettings(config);
      if (!settings.requireAuthentication)
        log("require_authentication is off: anybody can write in the name of anybody");
      account?.memory[Symbol.dispose]();
      const tokens = settings.tokens && createAccessTokens(settings.tokens, settings.imap.user);
      account = { settings, tokens, memory: openMailMemory(folder) };
    },
    start: async ({ receive, signal }) => {
      const opened = useAccount();
      await watchMailbox({
        ...opened,
        take: (mail) => take(mail, opened, receive),
        signal,
        sleep,
        log,
        pollIntervalMs,
      });
    },
    send: async (message, { signal }) => {
      const { settings, tokens, memory } = useAccount();
      const mail = await composeMail(message, {
        from: { address: settings.address, name: settings.fromName },
        answered: findAnswered(message, memory),
        now: new Date(now()),
        randomId: randomUUID,
      });
      const sent = memory.find(message.conversationId, toName(mail.messageId));
      if (sent?.direction === "out") return { messageIds: [sent.name] };
      const smtp = { from: settings.address, to: mail.to, source: mail.source };
      const greetingName = toDomain(settings.address);
      const outcome = await queue.run(
        () => sendMail(smtp, { server: settings.smtp, tokens, greetingName, signal }),
        signal,
      );
      if (outcome.kind === "unknown") throw new UnknownDeliveryError(outcome.problem);
      if (outcome.kind === "not-sent") throw new Error(outcome.problem);
      const messageId = outcome.messageId ?? mail.messageId;
      memory.add({
        conversation: message.conversationId,
        name: toName(messageId),
        threadId: message.threadId,
        messageId,
        subject: mail.subject,
        references: mail.references,
        answerTo: mail.to,
        direction: "out",
        atMs: now(),
      });
      return { messageIds: [toName(messageId)] };
    },
  };
}

function isEmpty({ content, files = [], metadata }: IncomingMessage): boolean {
  return content === "" && files.length === 0 && metadata?.["reaction"] === undefined;
}

function findAnswered(
  { conversationId, threadId, metadata }: OutgoingMessage,
  memory: MailMemory,
): KnownMail | undefined {
  const name = metadata["in_reply_to"] ?? "";
  return memory.find(conversationId, name) ?? memory.newest(conversationId, threadId);
}
