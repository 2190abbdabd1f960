import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";
import {
  type ChannelBench,
  describeChannelContract,
} from "../../../packages/opentalon/src/channels/channel.contract.ts";
import {
  openProgramChannel,
  type ProgramChannel,
} from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import { startMailBench } from "./testing/mail-bench.ts";
import { type WrittenMail, writeMail } from "./testing/written-mail.ts";

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const patient = { timeout: 15_000, interval: 5 };
const roots = { first: "<first@example.com>", second: "<second@example.com>" };
const file = { name: "notes.txt", mimeType: "text/plain", data: Buffer.from("a\0ü") };

async function openBench(): Promise<ChannelBench> {
  const mail = await startMailBench();
  const dataDirectory = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  const opened: ProgramChannel[] = [];
  const open = async (): Promise<ProgramChannel["channel"]> => {
    const next = await openProgramChannel({ program, config: mail.config, dataDirectory });
    opened.push(next);
    return next.channel;
  };
  const close = async (): Promise<void> => {
    for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
  };

  const isRefusal = (text: string): boolean => text.startsWith("This message was not taken");
  const received = (): typeof mail.smtp.received =>
    mail.smtp.received.filter(({ mail: { text = "" } }) => !isRefusal(text));
  const toText = ({ mail: { text = "" } }: (typeof mail.smtp.received)[number]): string =>
    text.trim();
  const bring = async (source: Buffer): Promise<number> => {
    await mail.listening();
    return mail.imap.deliver(source);
  };
  const say = async (written: WrittenMail): Promise<void> => {
    const uid = await bring(await writeMail(written));
    // A mail that nobody takes any more is not marked.
    await vi
      .waitFor(() => expect(mail.isRead(uid)).toBe(true), { timeout: 1_000, interval: 5 })
      .catch(() => {});
  };
  /** What the operator reads of a mail. */
  const readAbout = (uid: number): Promise<string> =>
    vi.waitFor(() => {
      const line = opened
        .at(-1)
        ?.readLog()
        .find((text) => text.includes(`mail ${uid} `));
      if (line === undefined) throw new Error(`nothing is said of mail ${uid}`);
      return line;
    }, patient);

  return {
    channel: await open(),
    say: (text) => say({ text }),
    readReplies: () => received().map(toText),
    sawRefusal: () => mail.texts().some(isRefusal),
    isReleased: () => mail.imap.connections() + mail.smtp.connections() === 0,
    sayAll: async (contents) => {
      for (const text of contents) await bring(await writeMail({ text }));
    },
    sayInThread: (text, thread) => say({ text, references: roots[thread] }),
    readThread: (thread) =>
      received()
        .filter(({ mail: { references = "" } }) => references.includes(roots[thread]))
        .map(toText),
    sayWithFile: async (text) => {
      await say({ text, files: [file] });
      return file;
    },
    readFiles: () =>
      received().flatMap(({ mail: { attachments } }) =>
        attachments.map(({ filename, content }) => ({
          name: filename ?? "",
          size: Buffer.from(content as ArrayBuffer).length,
        })),
      ),
    redeliver: async () => {
      const newest = mail.imap.mails().at(-1);
      if (newest !== undefined) await bring(newest.source);
    },
    reopen: async () => {
      await close();
      return open();
    },
    breakConnection: async () => {
      mail.imap.dropConnections();
      mail.smtp.dropConnections();
    },
    slowDown: mail.smtp.hold,
    sayOversize: async () => {
      mail.imap.lieAboutSizes(true);
      const uid = await bring(await writeMail({ text: "more than any" }));
      const told = await readAbout(uid);
      mail.imap.lieAboutSizes(false);
      return told;
    },
    sayInvalidUtf8: async () => {
      const raw =
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\na?b";
      const source = await writeMail({ raw });
      await bring(Buffer.from(source.toString("latin1").replace(/\?b$/, "\u00ffb"), "latin1"));
      return "replaced";
    },
    sayForged: async () => {
      const headers = [
        "Authentication-Results: mx.example.com; spf=fail smtp.mailfrom=ann@example.com; dmarc=fail header.from=example.com",
      ];
      return readAbout(await bring(await writeMail({ text: "It is me, Ann", headers })));
    },
    [Symbol.asyncDispose]: async () => {
      await close();
      await mail[Symbol.asyncDispose]();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

describeChannelContract("e-mail", openBench, {
  "live text": "a mail that was sent does not change",
  replay: "a mail has no signature that ages; one that comes again is told by its Message-ID",
});
