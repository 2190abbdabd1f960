import type { OutgoingMessage } from "@opentalon/plugin-sdk";
import MailComposer from "nodemailer/lib/mail-composer";
import { toAddress, toDomain, toOneLine } from "./mail-address.ts";
import type { KnownMail } from "./mail-memory.ts";
import { hash, shortenChain, toHeader } from "./message-ids.ts";
import { renderMarkdown } from "./render-markdown.ts";

export interface ComposedMail {
  /** Without brackets. */
  readonly messageId: string;
  readonly to: string;
  readonly subject: string;
  /** All that it comes after. */
  readonly references: readonly string[];
  readonly source: Buffer;
}

export interface ComposeOptions {
  readonly from: { readonly address: string; readonly name: string };
  /** The mail it answers, or one of the thread. */
  readonly answered: KnownMail | undefined;
  readonly now: Date;
  readonly randomId: () => string;
}

/**
 * A mail of OpenTalon's. A delivery that is tried again has the same Message-ID, so that mailboxes can tell.
 * @throws Error when the conversation is nobody's address.
 */
export async function composeMail(
  message: OutgoingMessage,
  { from, answered, now, randomId }: ComposeOptions,
): Promise<ComposedMail> {
  const to = toAddress(answered?.answerTo ?? message.conversationId);
  if (to === undefined)
    throw new Error(
      `nobody can be written to at ${JSON.stringify(toOneLine(message.conversationId, 80))}`,
    );
  const { deliveryId } = message;
  const identity = deliveryId === "" ? randomId() : hash([from.address, deliveryId]).slice(0, 40);
  const messageId = `${identity}@${toDomain(from.address)}`;
  const answeredId = answered?.messageId ?? "";
  const references = shortenChain([
    ...(answered?.references ?? []),
    ...(answeredId === "" ? [] : [answeredId]),
  ]);
  const subject = toSubject(answered, from.name);
  const html = renderMarkdown(message.content);
  const mail = new MailComposer({
    from,
    to: { address: to, name: "" },
    subject,
    messageId: `<${messageId}>`,
    ...(answeredId === "" ? {} : { inReplyTo: toHeader([answeredId]) }),
    ...(references.length === 0 ? {} : { references: toHeader(references) }),
    date: now,
    // Whoever also answers by program knows from it to leave this mail alone.
    headers: {
      "Auto-Submitted": answered === undefined ? "auto-generated" : "auto-replied",
      "X-Auto-Response-Suppress": "All",
    },
    text: message.content,
    ...(html === undefined || message.content === "" ? {} : { html }),
    attachments: message.files.map(({ name, mimeType, data }) => ({
      filename: toOneLine(name) || "file",
      contentType: /^[\w.+-]+\/[\w.+-]+$/.test(mimeType) ? mimeType : "application/octet-stream",
      content: Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    })),
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return { messageId, to, subject, references, source: await mail.compile().build() };
}

function toSubject(answered: KnownMail | undefined, ownName: string): string {
  if (answered === undefined)
    return ownName === "" ? "A message for you" : `A message from ${ownName}`;
  const subject = toOneLine(answered.subject, 250).replace(/^(?:(?:re|aw|antw|sv)\s*:\s*)+/i, "");
  return `Re: ${subject === "" ? "your mail" : subject}`;
}
