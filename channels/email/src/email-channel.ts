import { randomUUID } from "node:crypto";
import {
  type ChannelDefinition,
  type OutgoingMessage,
  UnknownDeliveryError,
} from "@opentalon/plugin-sdk";
import { type AccessTokens, createAccessTokens } from "./access-tokens.ts";
import { composeMail } from "./compose-mail.ts";
import { toDomain, toOneLine } from "./mail-address.ts";
import { type KnownMail, type MailMemory, openMailMemory } from "./mail-memory.ts";
import { createMailSender, type MailSender } from "./mail-sender.ts";
import { parseMessageIds, toName } from "./message-ids.ts";
import { type EmailSettings, readSettings } from "./read-settings.ts";
import { createSendQueue } from "./send-queue.ts";
import { takeMail } from "./take-mail.ts";
import { watchMailbox } from "./watch-mailbox.ts";

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
  readonly sender: MailSender;
}

const usualPollIntervalMs = 120_000;

/** Mails to one address are messages, answers to them are mails. */
export function createEmailChannel(options: EmailChannelOptions): ChannelDefinition {
  const { folder, log, now, sleep, pollIntervalMs = usualPollIntervalMs } = options;
  let account: Account | undefined;
  const queue = createSendQueue();

  const useAccount = (): Account => {
    if (account === undefined) throw new Error("the channel is not configured");
    return account;
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
      const sender = createMailSender({
        server: settings.smtp,
        tokens,
        greetingName: toDomain(settings.address),
      });
      account = { settings, tokens, memory: openMailMemory(folder), sender };
    },
    start: async ({ receive, signal }) => {
      const opened = useAccount();
      opened.sender.keepOpen(signal);
      await watchMailbox({
        ...opened,
        take: (mail) => takeMail(mail, { ...opened, receive, now, log }),
        signal,
        sleep,
        log,
        pollIntervalMs,
      });
    },
    send: async (message, { signal }) => {
      const { settings, memory, sender } = useAccount();
      const mail = await composeMail(message, {
        from: { address: settings.address, name: settings.fromName },
        answered: findAnswered(message, memory),
        now: new Date(now()),
        randomId: randomUUID,
      });
      const sent = memory.find(message.conversationId, toName(mail.messageId));
      if (sent?.direction === "out") return { messageIds: [sent.name] };
      const smtp = { from: settings.address, to: mail.to, source: mail.source };
      const outcome = await queue.run(() => sender.send(smtp, signal), signal);
      if (outcome.kind === "unknown") throw new UnknownDeliveryError(outcome.problem);
      if (outcome.kind === "not-sent") throw new Error(outcome.problem);
      const messageId = outcome.messageId ?? mail.messageId;
      const known: KnownMail = {
        conversation: message.conversationId,
        name: toName(messageId),
        threadId: message.threadId,
        messageId,
        subject: mail.subject,
        references: mail.references,
        answerTo: mail.to,
        direction: "out",
        atMs: now(),
      };
      try {
        memory.add(known);
      } catch (error) {
        // It has arrived all the same: whoever is told that it failed sends it a second time.
        log(`a mail was sent, and could not be noted: ${toOneLine(String(error))}`);
      }
      return { messageIds: [toName(messageId)] };
    },
  };
}

/** The mail a message answers, else the newest of the thread. */
function findAnswered(
  { conversationId, threadId, metadata }: OutgoingMessage,
  memory: MailMemory,
): KnownMail | undefined {
  const name = metadata["in_reply_to"] ?? "";
  const known = memory.find(conversationId, name) ?? memory.newest(conversationId, threadId);
  if (known !== undefined) return known;
  // One that was forgotten still has its identifier.
  const [messageId] = parseMessageIds(name.includes("@") ? `<${name}>` : "");
  if (messageId === undefined) return undefined;
  return {
    conversation: conversationId,
    name,
    threadId,
    messageId,
    subject: "",
    references: [],
    answerTo: conversationId,
    direction: "in",
    atMs: 0,
  };
}
