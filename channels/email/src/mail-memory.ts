import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Up to where a folder of the mailbox has been read. */
export interface Cursor {
  readonly uidValidity: string;
  readonly lastUid: number;
}

/** A mail that came or went, with what an answer to it needs. */
export interface KnownMail {
  /** The person's address. */
  readonly conversation: string;
  /** The name of the mail for OpenTalon, see `toName`. */
  readonly name: string;
  readonly threadId: string;
  /** Empty when it had none. */
  readonly messageId: string;
  readonly subject: string;
  /** What it comes after, the oldest first. */
  readonly references: readonly string[];
  /** Where an answer goes. */
  readonly answerTo: string;
  readonly direction: "in" | "out";
  readonly atMs: number;
}

/**
 * What the channel remembers over restarts. Should the machine lose its power, what it was last told of mails that came may be
 * forgotten, always the newest first: the mailbox still has them, and they come again. All else is on disk at once.
 */
export interface MailMemory extends Disposable {
  readonly cursor: (folder: string) => Cursor | undefined;
  readonly setCursor: (folder: string, cursor: Cursor) => void;
  /** Changes nothing when it is known. */
  readonly add: (mail: KnownMail) => void;
  readonly find: (conversation: string, name: string) => KnownMail | undefined;
  /** The newest mail of a thread; only of those that came, where there is one. */
  readonly newest: (conversation: string, threadId: string) => KnownMail | undefined;
  /** Mails that came since then: of the thread, and of all of the conversation. */
  readonly countSince: (
    conversation: string,
    threadId: string,
    sinceMs: number,
  ) => { readonly ofThread: number; readonly ofConversation: number };
}

/** The oldest are forgotten; an answer to such a mail still arrives, under a subject of its own. */
const maxMails = 20_000;

interface Row {
  readonly conversation: string;
  readonly name: string;
  readonly thread: string;
  readonly message_id: string;
  readonly subject: string;
  readonly chain: string;
  readonly answer_to: string;
  readonly direction: "in" | "out";
  readonly at_ms: number;
}

/** Opens, or makes, the file it is kept in. */
export function openMailMemory(folder: string): MailMemory {
  const path = join(folder, "mail.sqlite");
  closeSync(openSync(path, "a", 0o600));
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS cursors (
      folder TEXT PRIMARY KEY, uid_validity TEXT NOT NULL, last_uid INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS mails (
      number INTEGER PRIMARY KEY, conversation TEXT NOT NULL, name TEXT NOT NULL, thread TEXT NOT NULL,
      message_id TEXT NOT NULL, subject TEXT NOT NULL, chain TEXT NOT NULL, answer_to TEXT NOT NULL,
      direction TEXT NOT NULL, at_ms INTEGER NOT NULL, UNIQUE (conversation, name)
    ) STRICT;
    CREATE INDEX IF NOT EXISTS mails_by_thread ON mails (conversation, thread, direction, number);
    CREATE INDEX IF NOT EXISTS mails_by_time ON mails (conversation, direction, at_ms, thread);
  `);
  const getCursor = database.prepare("SELECT uid_validity, last_uid FROM cursors WHERE folder = ?");
  const putCursor = database.prepare(
    "INSERT INTO cursors VALUES (?, ?, ?) ON CONFLICT (folder) DO UPDATE SET uid_validity = excluded.uid_validity, last_uid = excluded.last_uid",
  );
  const insert = database.prepare(
    "INSERT INTO mails (conversation, name, thread, message_id, subject, chain, answer_to, direction, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const prune = database.prepare("DELETE FROM mails WHERE number <= ?");
  const byName = database.prepare("SELECT * FROM mails WHERE conversation = ? AND name = ?");
  const byThread = database.prepare(
    "SELECT * FROM mails WHERE conversation = ? AND thread = ? ORDER BY direction, number DESC LIMIT 1",
  );
  const count = database.prepare(
    "SELECT COUNT(*) AS all_mails, COALESCE(SUM(thread = ?), 0) AS of_thread FROM mails WHERE conversation = ? AND direction = 'in' AND at_ms > ?",
  );
  const getCursorOf = (name: string): Cursor | undefined => {
    const row = getCursor.get(name) as { uid_validity: string; last_uid: number } | undefined;
    return row && { uidValidity: row.uid_validity, lastUid: row.last_uid };
  };
  /** Without waiting for the disk. What is written after it is never kept without it. */
  const writeSoon = <Result>(write: () => Result): Result => {
    database.exec("PRAGMA synchronous = NORMAL");
    try {
      return write();
    } finally {
      database.exec("PRAGMA synchronous = FULL");
    }
  };
  return {
    cursor: getCursorOf,
    setCursor: (name, { uidValidity, lastUid }) => {
      const write = (): void => void putCursor.run(name, uidValidity, lastUid);
      // Where the reading begins cannot be found out again.
      if (getCursorOf(name)?.uidValidity === uidValidity) writeSoon(write);
      else write();
    },
    add: (mail) => {
      const { conversation, name, threadId, messageId, subject, references, answerTo } = mail;
      const { direction, atMs } = mail;
      const chain = references.join(" ");
      const write = (): void => {
        const { lastInsertRowid, changes } = insert.run(
          conversation,
          name,
          threadId,
          messageId,
          subject,
          chain,
          answerTo,
          direction,
          atMs,
        );
        if (changes === 1) prune.run(Number(lastInsertRowid) - maxMails);
      };
      if (direction === "in") writeSoon(write);
      else write();
    },
    find: (conversation, name) => toMail(byName.get(conversation, name)),
    newest: (conversation, threadId) => toMail(byThread.get(conversation, threadId)),
    countSince: (conversation, threadId, sinceMs) => {
      const row = count.get(threadId, conversation, sinceMs) as {
        all_mails: number;
        of_thread: number;
      };
      return { ofThread: row.of_thread, ofConversation: row.all_mails };
    },
    [Symbol.dispose]: () => database.close(),
  };
}

function toMail(found: unknown): KnownMail | undefined {
  const row = found as Row | undefined;
  return (
    row && {
      conversation: row.conversation,
      name: row.name,
      threadId: row.thread,
      messageId: row.message_id,
      subject: row.subject,
      references: row.chain === "" ? [] : row.chain.split(" "),
      answerTo: row.answer_to,
      direction: row.direction,
      atMs: row.at_ms,
    }
  );
}
