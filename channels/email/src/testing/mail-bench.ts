import { expect, vi } from "vitest";
import { type ImapStub, type ImapStubOptions, startImapStub } from "./imap-stub.ts";
import { type SmtpStub, type SmtpStubOptions, startSmtpStub } from "./smtp-stub.ts";
import { writeMail, type WrittenMail } from "./written-mail.ts";

/** Both servers of the bot's account, and people who write to it. */
export interface MailBench extends AsyncDisposable {
  readonly imap: ImapStub;
  readonly smtp: SmtpStub;
  /** For a channel that may answer all people of example.com. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly write: (mail: WrittenMail) => Promise<number>;
  /** Resolves once the channel listens: what came before its first start is none of its business. */
  readonly listening: () => Promise<void>;
  /** Whether a mail was marked as read. */
  readonly isRead: (uid: number) => boolean;
  /** Texts of the mails that were sent, in order. */
  readonly texts: () => readonly string[];
}

export const password = "pass word";

export async function startMailBench(
  options: { readonly imap?: ImapStubOptions; readonly smtp?: SmtpStubOptions } = {},
): Promise<MailBench> {
  const imap = await startImapStub({ password, ...options.imap });
  const smtp = await startSmtpStub({ password, ...options.smtp });
  return {
    imap,
    smtp,
    config: {
      address: "talon@example.com",
      from_name: "Talon",
      password,
      authserv_id: "mx.example.com",
      max_mails_per_hour: 10_000,
      imap: { host: "127.0.0.1", port: imap.port, tls: false },
      smtp: { host: "127.0.0.1", port: smtp.port, tls: false },
    },
    write: async (mail) => imap.deliver(await writeMail(mail)),
    listening: () =>
      vi.waitFor(() => expect(imap.commands).toContain(`SELECT INBOX`), { timeout: 15_000 }),
    isRead: (uid) => imap.mails().some((mail) => mail.uid === uid && mail.flags.has("\\Seen")),
    texts: () => smtp.received.map(({ mail }) => (mail.text ?? "").trim()),
    [Symbol.asyncDispose]: async () => {
      await imap[Symbol.asyncDispose]();
      await smtp[Symbol.asyncDispose]();
    },
  };
}
