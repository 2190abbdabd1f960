import { ImapFlow } from "imapflow";
import { type AccessTokens, TokenRefusedError } from "./access-tokens.ts";
import { toProblem } from "./mail-problem.ts";
import type { MailMemory } from "./mail-memory.ts";
import { createMailMarker } from "./mark-mails.ts";
import { type Caution, longestMail, readMails } from "./read-mails.ts";
import type { EmailSettings } from "./read-settings.ts";
import type { MailOrigin } from "./to-incoming-message.ts";

/** A mail as it lies in the mailbox. */
export interface RawMail extends MailOrigin {
  readonly source: Uint8Array;
}

export interface MailboxOptions {
  readonly settings: EmailSettings;
  readonly tokens: AccessTokens | undefined;
  readonly memory: Pick<MailMemory, "cursor" | "setCursor">;
  /**
   * Takes the mails one after the other, the oldest first; each comes again, also after a restart, until this resolves.
   * Whether the mail is dealt with, and may be marked as read.
   */
  readonly take: (mail: RawMail) => Promise<boolean>;
  /** Ends it. */
  readonly signal: AbortSignal;
  readonly sleep: (timeMs: number, signal: AbortSignal) => Promise<void>;
  readonly log: (line: string) => void;
  /** How often is looked for new mail even when the server does not tell of any. */
  readonly pollIntervalMs: number;
}

const firstDelayMs = 1_000;
const longestDelayMs = 60_000;
/** A connection that held for so long was a good one. */
const goodMs = 30_000;

/**
 * Reads what comes into a folder of a mailbox, from its first start on; over lost connections and restarts nothing is left
 * out. Resolves when it is ended.
 * @throws Error in words for the operator when the account or the folder is refused.
 */
export async function watchMailbox(options: MailboxOptions): Promise<void> {
  const { settings, signal, sleep, log } = options;
  const { imap } = settings;
  let delayMs = firstDelayMs;
  let wasRefused = false;
  const caution: Caution = { aloneUntilUid: 0, fetching: undefined };
  const withheld: Withheld = { uid: 0, times: 0 };
  while (!signal.aborted) {
    const startMs = Date.now();
    try {
      await listenOnce({ ...options, caution, withheld }, wasRefused);
    } catch (error) {
      if (signal.aborted) return;
      if (isRefusal(error)) {
        // A token may have been withdrawn before its time.
        const mayRenew = options.tokens !== undefined && !(error instanceof TokenRefusedError);
        if (wasRefused || !mayRenew) throw toRefusal(error, settings);
        wasRefused = true;
        continue;
      }
      if (Date.now() - startMs >= goodMs) delayMs = firstDelayMs;
      log(
        `IMAP server ${imap.host}: ${toProblem(error, imap)}; trying again in ${Math.round(delayMs / 1_000)} s`,
      );
      await sleep(delayMs, signal);
      delayMs = Math.min(delayMs * 2, longestDelayMs);
      wasRefused = false;
    }
  }
}

interface ConnectionOptions extends MailboxOptions {
  readonly caution: Caution;
  readonly withheld: Withheld;
}

/** The mail that the server refused to give, and how often in a row. */
interface Withheld {
  uid: number;
  times: number;
}

/** Trouble of a server passes within minutes. */
const mostTimesWithheld = 10;

/** One connection, until it ends; always by a throw. */
async function listenOnce(options: ConnectionOptions, wasRefused: boolean): Promise<never> {
  const { settings, tokens, signal, log, pollIntervalMs } = options;
  const accessToken = await tokens?.get(wasRefused);
  const client = createClient(settings, accessToken);
  const lost = Promise.withResolvers<never>();
  lost.promise.catch(() => {});
  const close = (): void => client.close();
  /** Why the connection ended, where that is known; commands only learn that it did. */
  let cause: Error | undefined;
  client.on("error", (error) => {
    cause = error;
    lost.reject(error);
  });
  client.on("close", () => lost.reject(new Error("the connection was closed")));
  signal.addEventListener("abort", close, { once: true });
  let hasNews: boolean;
  let wake = (): void => {};
  client.on("exists", () => {
    hasNews = true;
    wake();
  });
  let uidValidity: string | undefined;
  try {
    signal.throwIfAborted();
    await client.connect();
    uidValidity = await openFolder(client, options);
    log(`listening to ${settings.folder} of ${settings.imap.user} at ${settings.imap.host}`);
    for (;;) {
      hasNews = false;
      await takeNewMails(client, uidValidity, options);
      if (hasNews) continue;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      // The next command ends it; whether the connection ended is told elsewhere.
      client.idle().catch(() => {});
      const timer = setTimeout(wake, pollIntervalMs);
      await Promise.race([woken, lost.promise]).finally(() => clearTimeout(timer));
    }
  } catch (error) {
    if (uidValidity !== undefined) leaveOut(cause ?? error, uidValidity, options);
    throw cause ?? error;
  } finally {
    signal.removeEventListener("abort", close);
    client.close();
  }
}

/**
 * A mail that breaks the connection each time, or that the server has and never gives, would keep everything behind it from
 * being read.
 */
function leaveOut(
  cause: unknown,
  uidValidity: string,
  { settings, caution: { fetching: uid }, withheld, memory, log }: ConnectionOptions,
): void {
  if (uid === undefined) return;
  const { code = "", responseStatus = "" } = cause as ImapError;
  if (responseStatus === "NO" || responseStatus === "BAD")
    Object.assign(withheld, { uid, times: withheld.uid === uid ? withheld.times + 1 : 1 });
  const isWithheld = withheld.uid === uid && withheld.times >= mostTimesWithheld;
  if (!isWithheld && !isUnreadable(code)) return;
  const why = isWithheld
    ? `the server does not give it: ${toProblem(cause, settings.imap)}`
    : "what the server sends of it breaks every bound";
  log(`mail ${uid} is left out: ${why}`);
  memory.setCursor(settings.folder, { uidValidity, lastUid: uid });
}

function createClient({ imap }: EmailSettings, accessToken: string | undefined): ImapFlow {
  const { host, port, protection, user, password, ca } = imap;
  return new ImapFlow({
    host,
    port,
    secure: protection === "tls",
    doSTARTTLS: protection === "starttls",
    tls: ca === undefined ? {} : { ca },
    auth: accessToken === undefined ? { user, pass: password } : { user, accessToken },
    clientInfo: { name: "OpenTalon", vendor: "OpenTalon", version: "1", "support-url": "" },
    logger: false,
    disableAutoIdle: true,
    connectionTimeout: 15_000,
    greetingTimeout: 15_000,
    maxLineLength: 8 * 1024 * 1024,
    maxLiteralSize: longestMail + 1024 * 1024,
    maxResponseSize: longestMail + 16 * 1024 * 1024,
  });
}

/** Resolves to its UIDVALIDITY. */
async function openFolder(client: ImapFlow, options: ConnectionOptions): Promise<string> {
  const { settings, memory, caution, log } = options;
  const { folder } = settings;
  caution.fetching = undefined;
  const mailbox = await client.mailboxOpen(folder);
  const uidValidity = String(mailbox.uidValidity);
  const cursor = memory.cursor(folder);
  if (cursor?.uidValidity !== uidValidity) {
    if (cursor !== undefined)
      log(`the server has numbered ${folder} anew; mails are read from now on`);
    memory.setCursor(folder, { uidValidity, lastUid: await findLastUid(client, mailbox.uidNext) });
  }
  return uidValidity;
}

/** Servers have to tell the next UID, and not all do. */
async function findLastUid(client: ImapFlow, next: number): Promise<number> {
  if (Number.isSafeInteger(next) && next > 0) return next - 1;
  const found = await client.search({ uid: "*" }, { uid: true });
  return found === false || found === undefined ? 0 : (found.at(-1) ?? 0);
}

async function takeNewMails(
  client: ImapFlow,
  uidValidity: string,
  options: ConnectionOptions,
): Promise<void> {
  const { settings, memory, take, caution, signal, log } = options;
  const { folder, moveTo } = settings;
  const lastUid = memory.cursor(folder)?.lastUid ?? 0;
  const found = await client.search({ uid: `${lastUid + 1}:*` }, { uid: true });
  if (found === false || found === undefined)
    throw new Error("the search for new mails was refused");
  // A range that begins behind the last mail still names the last mail.
  const uids = found.filter((uid) => uid > lastUid).toSorted((one, other) => one - other);
  const marker = createMailMarker(client, {
    moveTo,
    onProblem: (error) => {
      // Whoever reads on learns it, too.
      if (!client.usable) return;
      log(`a mail could not be marked or moved: ${toProblem(error, settings.imap)}`);
    },
  });
  try {
    for await (const { uid, source, isCut } of readMails(client, uids, caution)) {
      signal.throwIfAborted();
      const isDone = source !== undefined && (await take({ uidValidity, uid, isCut, source }));
      // What came again is told by its identity: this comes after it, and whatever follows may fail.
      memory.setCursor(folder, { uidValidity, lastUid: uid });
      if (isDone) marker.add(uid);
    }
  } finally {
    await marker.done();
  }
}

interface ImapError {
  readonly authenticationFailed?: boolean;
  readonly serverResponseCode?: string;
  readonly mailboxMissing?: boolean;
  /** `NO` or `BAD`: the answer to a command. */
  readonly responseStatus?: string;
  readonly code?: string;
}

/** What does not pass by itself. */
function isRefusal(error: unknown): boolean {
  const { authenticationFailed, serverResponseCode, mailboxMissing, code } = error as ImapError;
  if (authenticationFailed === true) return serverResponseCode !== "UNAVAILABLE";
  return (
    error instanceof TokenRefusedError ||
    mailboxMissing === true ||
    isCertificateProblem(code ?? "")
  );
}

/** An answer that breaks the bounds of a connection, or its language, does so each time. */
function isUnreadable(code: string): boolean {
  return /^(?:Line|Literal|Response)TooLarge$|^TooManyTokens$|^ParserError|^MAX_IMAP_NESTING/.test(
    code,
  );
}

function isCertificateProblem(code: string): boolean {
  return /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_CERT_)/.test(code);
}

function toRefusal(error: unknown, { imap, folder }: EmailSettings): Error {
  if (error instanceof TokenRefusedError) return error;
  const { authenticationFailed, mailboxMissing } = error as ImapError;
  const words = toProblem(error, imap);
  if (authenticationFailed === true)
    return new Error(
      `the IMAP server ${imap.host} refused ${imap.user}: ${words}; check config.user and the password`,
    );
  if (mailboxMissing === true)
    return new Error(`there is no folder ${folder} in the mailbox; set config.folder`);
  return new Error(
    `the certificate of ${imap.host} cannot be trusted: ${words}; set config.imap.ca where the server has an authority of its own`,
  );
}
