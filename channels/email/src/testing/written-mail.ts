import MailComposer from "nodemailer/lib/mail-composer";

export interface WrittenMail {
  readonly from?: string;
  readonly to?: string;
  readonly cc?: string;
  readonly subject?: string;
  readonly text?: string;
  readonly html?: string;
  /** With brackets; another one for each mail unless said, `null` for none. */
  readonly messageId?: string | null;
  readonly inReplyTo?: string;
  readonly references?: string;
  /** In place of all that follows the headers: its own type, an empty line, and the rest. */
  readonly raw?: string;
  /** Further header lines, on top. */
  readonly headers?: readonly string[];
  readonly files?: readonly {
    readonly name: string;
    readonly mimeType: string;
    readonly data: Buffer;
  }[];
}

/** Results of the server that the channels of tests trust. */
export function provenBy(domain: string, server = "mx.example.com"): string {
  return `Authentication-Results: ${server}; spf=pass (sender is fine) smtp.mailfrom=someone@${domain}; dmarc=pass (p=NONE) header.from=${domain}`;
}

export const proven = provenBy("example.com");

let count = 0;

/** A mail as it lies in a mailbox: of Ann to the bot, and proven to be, unless said. */
export async function writeMail(mail: WrittenMail = {}): Promise<Buffer> {
  count += 1;
  const { messageId = `<m${count}.${process.pid}@example.com>`, headers = [proven] } = mail;
  const { text = "", files = [] } = mail;
  const composer = new MailComposer({
    from: mail.from ?? "Ann <ann@example.com>",
    to: mail.to ?? "talon@example.com",
    ...(mail.cc === undefined ? {} : { cc: mail.cc }),
    subject: mail.subject ?? "",
    messageId: messageId ?? "<none@none>",
    ...(mail.inReplyTo === undefined ? {} : { inReplyTo: mail.inReplyTo }),
    ...(mail.references === undefined ? {} : { references: mail.references }),
    ...(mail.html === undefined ? { text } : { html: mail.html }),
    ...(mail.html !== undefined && mail.text !== undefined ? { text } : {}),
    attachments: files.map(({ name, mimeType, data }) => ({
      filename: name,
      contentType: mimeType,
      content: data,
    })),
    date: new Date("2026-05-03T10:00:00Z"),
  });
  const source = (await composer.compile().build()).toString("latin1");
  const lines = headers.map((line) => `${line}\r\n`).join("");
  if (mail.raw !== undefined) {
    const head = source.split("\r\n\r\n")[0] ?? "";
    const own = head.split(/\r\n(?!\s)/).filter((line) => !/^(?:content-|mime-)/i.test(line));
    return Buffer.from(`${lines}${own.join("\r\n")}\r\nMIME-Version: 1.0\r\n${mail.raw}`);
  }
  const known = messageId === null ? source.replace(/^Message-ID:.*\r\n/im, "") : source;
  return Buffer.from(lines + known, "latin1");
}
