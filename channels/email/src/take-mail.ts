import type { ChannelContext, IncomingMessage } from "@opentalon/plugin-sdk";
import { judgeMail } from "./judge-mail.ts";
import { toOneLine } from "./mail-address.ts";
import type { KnownMail, MailMemory } from "./mail-memory.ts";
import { readMail } from "./read-mail.ts";
import type { EmailSettings } from "./read-settings.ts";
import { type TakenMail, toIncomingMessage } from "./to-incoming-message.ts";
import type { RawMail } from "./watch-mailbox.ts";

export interface TakeMailOptions {
  readonly settings: EmailSettings;
  readonly memory: MailMemory;
  readonly receive: ChannelContext["receive"];
  readonly now: () => number;
  readonly log: (line: string) => void;
}

const hourMs = 3_600_000;
/** So many times as of one thread may come of one person in an hour. */
const threadsAtOnce = 3;

/**
 * Hands a mail over, or says in the log why nobody answers it. Resolves with whether it was handed over, once that is done for good.
 * @throws Error when it has to come again: the channel is being stopped, or the disk is full.
 */
export async function takeMail(raw: RawMail, options: TakeMailOptions): Promise<boolean> {
  const { memory, receive, log } = options;
  // Whatever a stranger has made up must not keep what comes behind it from being read.
  const understood = await understandMail(raw, options).catch((error: unknown) => ({
    reason: `it cannot be read: ${toOneLine(String(error))}`,
    sender: "",
  }));
  if ("reason" in understood) {
    const { reason, sender } = understood;
    log(`mail ${raw.uid}${sender === "" ? "" : ` from ${sender}`} is not answered: ${reason}`);
    return false;
  }
  // Before it is handed over: the answer may be there before that is done.
  memory.add(understood.known);
  await receive(understood.message);
  return true;
}

interface Ignored {
  readonly reason: string;
  readonly sender: string;
}

async function understandMail(
  raw: RawMail,
  { settings, memory, now }: TakeMailOptions,
): Promise<TakenMail | Ignored> {
  const mail = await readMail(raw.source, raw.isCut);
  const sender = mail.from[0]?.address ?? "";
  const verdict = judgeMail(mail, settings);
  if (verdict.kind === "ignore") return { reason: verdict.reason, sender };
  const taken = toIncomingMessage(mail, verdict, raw, { memory, nowMs: now() });
  if (isEmpty(taken.message)) return { reason: "it is empty", sender };
  if (isExcess(taken.known, settings, memory))
    return { reason: "too many came within an hour (config.max_mails_per_hour)", sender };
  return taken;
}

function isEmpty({ content, files = [], metadata }: IncomingMessage): boolean {
  return content === "" && files.length === 0 && metadata?.["reaction"] === undefined;
}

/** Two programs that answer each other all the same come to an end by it. A mail that comes again does not count again. */
function isExcess(
  { conversation, name, threadId, atMs }: KnownMail,
  { maxMailsPerHour }: EmailSettings,
  memory: MailMemory,
): boolean {
  if (memory.find(conversation, name) !== undefined) return false;
  const { ofThread, ofConversation } = memory.countSince(conversation, threadId, atMs - hourMs);
  return ofThread >= maxMailsPerHour || ofConversation >= maxMailsPerHour * threadsAtOnce;
}
