import type { IncomingMessage } from "@opentalon/plugin-sdk";
import { toText } from "./html-text.ts";
import type { MailVerdict } from "./judge-mail.ts";
import type { KnownMail, MailMemory } from "./mail-memory.ts";
import { hash, shortenChain, toName } from "./message-ids.ts";
import type { Mail } from "./read-mail.ts";
import { toOwnWords } from "./reply-text.ts";

/** Where a mail lies in the mailbox, and when it came. */
export interface MailOrigin {
  readonly uidValidity: string;
  readonly uid: number;
  /** It is larger than what is read: what came last is missing. */
  readonly isCut: boolean;
}

export interface TakenMail {
  readonly message: IncomingMessage;
  /** What an answer will need. */
  readonly known: KnownMail;
}

const longestContent = 200_000;
const passedOn = /^\s*(?:fwd?|wg|tr)\s*:/i;
/** A reply of nothing but one of them says what somebody thinks of the answer. */
const feedback = /^(?:👍|👎|🔁|🔄|❤|🎉|✅|❌)(?:\p{Emoji_Modifier}|\ufe0f)*$/u;

/** A mail that is answered, as a message. The conversation is the person, the thread is that of the mails. */
export function toIncomingMessage(
  mail: Mail,
  verdict: Extract<MailVerdict, { kind: "take" }>,
  origin: MailOrigin,
  { memory, nowMs }: { readonly memory: MailMemory; readonly nowMs: number },
): TakenMail {
  const { sender, senderName, answerTo, isGroup } = verdict;
  const earlier = [...new Set([...mail.references, ...mail.inReplyTo])];
  const name =
    mail.messageId === ""
      ? `uid-${hash([origin.uidValidity, String(origin.uid)])}`
      : toName(mail.messageId);
  const threadId = findThread(earlier, name, sender, memory);
  const reaction = toReaction(mail);
  const known: KnownMail = {
    conversation: sender,
    name,
    threadId,
    messageId: mail.messageId,
    subject: mail.subject,
    references: shortenChain(earlier),
    answerTo,
    direction: "in",
    atMs: nowMs,
  };
  const metadata: Record<string, string> = { subject: mail.subject };
  if (isGroup) metadata["is_group"] = "true";
  if (reaction !== undefined) Object.assign(metadata, reaction);
  const message: IncomingMessage = {
    conversationId: sender,
    threadId,
    senderId: sender,
    senderName,
    content: reaction === undefined ? toContent(mail, earlier.length > 0, origin.isCut) : "",
    messageId: name,
    files: reaction === undefined ? mail.files : [],
    metadata,
    sentAt: mail.sentAt ?? new Date(nowMs),
  };
  return { message, known };
}

/** The thread of the first mail that is known, else the first mail of all. */
function findThread(
  earlier: readonly string[],
  name: string,
  sender: string,
  memory: MailMemory,
): string {
  const known = earlier
    .toReversed()
    .map((id) => memory.find(sender, toName(id)))
    .find((mail) => mail !== undefined);
  if (known !== undefined) return known.threadId;
  const [root] = earlier;
  return root === undefined ? name : toName(root);
}

function toReaction(mail: Mail): Readonly<Record<string, string>> | undefined {
  const answered = mail.inReplyTo.at(-1) ?? mail.references.at(-1);
  if (answered === undefined) return undefined;
  const to = { reaction_to: toName(answered) };
  if (mail.reaction !== "") return { reaction: mail.reaction, ...to };
  const words = toOwnWords({ text: toPlainText(mail), isReply: true });
  return feedback.test(words) ? { reaction: words, ...to } : undefined;
}

function toContent(mail: Mail, isReply: boolean, isCut: boolean): string {
  const whole = toPlainText(mail);
  const own = toOwnWords({ text: whole, isReply: isReply && !passedOn.test(mail.subject) });
  // Somebody who adds nothing to what is quoted means what is quoted.
  const words = own === "" && mail.files.length === 0 ? whole.trim() : own;
  const parts = [withSubject(words.slice(0, longestContent), mail.subject, isReply)];
  if (words.length > longestContent) parts.push("[the rest of this mail was left out]");
  if (mail.filesLeftOut > 0)
    parts.push(
      `[${mail.filesLeftOut} files of this mail were left out: they are too many or too large]`,
    );
  if (isCut) parts.push("[this mail is too large; its end was left out]");
  return parts.filter((part) => part !== "").join("\n\n");
}

/** The subject of a first mail often says what it is about, or is all there is. Commands stand alone. */
function withSubject(words: string, subject: string, isReply: boolean): string {
  if (isReply || subject === "" || words.startsWith("/")) return words;
  return words === "" ? subject : `Subject: ${subject}\n\n${words}`;
}

function toPlainText({ text, html }: Mail): string {
  return text.trim() === "" && html !== "" ? toText(html) : text;
}
