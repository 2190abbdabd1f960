import PostalMime from "postal-mime";
import type { MailHeader } from "./authentication-results.ts";
import { type MailAddress, parseAddresses, toOneLine } from "./mail-address.ts";
import { parseMessageIds } from "./message-ids.ts";

export interface MailFile {
  readonly name: string;
  readonly mimeType: string;
  readonly data: Uint8Array;
}

/** A mail as it was sent, read with care; what it says of itself may all be lies. */
export interface Mail {
  /** From the top down. */
  readonly headers: readonly MailHeader[];
  /** All that `From` names: one, in a mail of a person. */
  readonly from: readonly MailAddress[];
  readonly replyTo: readonly MailAddress[];
  readonly to: readonly MailAddress[];
  readonly cc: readonly MailAddress[];
  readonly subject: string;
  /** Without brackets; empty when it has none that can be used. */
  readonly messageId: string;
  readonly inReplyTo: readonly string[];
  readonly references: readonly string[];
  readonly sentAt: Date | undefined;
  readonly text: string;
  readonly html: string;
  readonly files: readonly MailFile[];
  /** All files together are too much, or there are too many: these were left out. */
  readonly filesLeftOut: number;
  /** The emoji of a reaction, as Gmail sends them. */
  readonly reaction: string;
  /** It tells what became of another mail. */
  readonly isReport: boolean;
}

/** What OpenTalon takes with one message, less than a frame of its wire. */
export const maxFiles = 32;
export const maxFileBytes = 30 * 1024 * 1024;
/** More of a text is not read. */
const longestText = 400_000;

const reactionType = "text/vnd.google.email-reaction+json";
const signatureTypes = new Set([
  "application/pgp-signature",
  "application/pkcs7-signature",
  "application/x-pkcs7-signature",
]);
const reportTypes = new Set(["message/delivery-status", "message/disposition-notification"]);

/**
 * `isCut` says that the end is missing.
 * @throws Error when it is no mail, or one that is nested beyond reason.
 */
export async function readMail(source: Uint8Array, isCut = false): Promise<Mail> {
  const parsed = await PostalMime.parse(source, {
    rfc822Attachments: true,
    maxNestingDepth: 32,
    maxHeadersSize: 512 * 1024,
    maxRfc822NestingDepth: 0,
  });
  const headers = parsed.headers.map(({ key, value }) => ({ key, value }));
  const valuesOf = (name: string): readonly string[] =>
    headers.filter(({ key }) => key === name).map(({ value }) => value);
  const addresses = (name: string): readonly MailAddress[] =>
    valuesOf(name).flatMap((value) => parseAddresses(value.slice(0, longestHeader)));
  const ids = (name: string): readonly string[] => parseMessageIds(valuesOf(name)[0] ?? "");
  const sentAt = new Date(valuesOf("date")[0] ?? "");
  // The file a cut goes through is not what it says it is.
  const whole = isCut ? parsed.attachments.slice(0, -1) : parsed.attachments;
  const parts = whole.map(({ filename, mimeType, content }) => ({
    name: toFileName(filename ?? ""),
    mimeType: toOneLine(mimeType, 100) || "application/octet-stream",
    data: typeof content === "string" ? Buffer.from(content) : new Uint8Array(content),
  }));
  const contentType = valuesOf("content-type")[0] ?? "";
  return {
    headers,
    from: addresses("from"),
    replyTo: addresses("reply-to"),
    to: addresses("to"),
    cc: addresses("cc"),
    subject: toOneLine(parsed.subject ?? "", 300),
    messageId: ids("message-id")[0] ?? "",
    inReplyTo: ids("in-reply-to"),
    references: ids("references"),
    sentAt: Number.isNaN(sentAt.getTime()) ? undefined : sentAt,
    text: (parsed.text ?? "").slice(0, longestText),
    html: parsed.html ?? "",
    ...limitFiles(parts.filter(({ mimeType }) => !isNoFile(mimeType))),
    reaction: readReaction(parts.find(({ mimeType }) => mimeType === reactionType)),
    isReport:
      /^multipart\/report\b/i.test(contentType) ||
      parts.some(({ mimeType }) => reportTypes.has(mimeType)),
  };
}

const longestHeader = 50_000;

function isNoFile(mimeType: string): boolean {
  return mimeType === reactionType || signatureTypes.has(mimeType);
}

function limitFiles(parts: readonly MailFile[]): Pick<Mail, "files" | "filesLeftOut"> {
  let bytes = 0;
  const files = parts.filter(({ data }, index) => {
    if (index >= maxFiles || bytes + data.byteLength > maxFileBytes) return false;
    bytes += data.byteLength;
    return true;
  });
  return { files, filesLeftOut: parts.length - files.length };
}

/** Without folders, and without what could make it look like another name. */
function toFileName(name: string): string {
  return toOneLine(name.split(/[/\\]/).at(-1) ?? "", 200).replace(/^\.+/, "");
}

function readReaction(part: MailFile | undefined): string {
  if (part === undefined || part.data.byteLength > 1_000) return "";
  try {
    const { emoji } = JSON.parse(Buffer.from(part.data).toString("utf8")) as { emoji?: unknown };
    return typeof emoji === "string" ? toOneLine(emoji, 16) : "";
  } catch {
    return "";
  }
}
