import { Readable } from "node:stream";
import SMTPConnection from "nodemailer/lib/smtp-connection";
import type { AccessTokens } from "./access-tokens.ts";
import { toProblem } from "./mail-problem.ts";
import type { MailServer } from "./read-settings.ts";

export interface SmtpMail {
  readonly from: string;
  readonly to: string;
  readonly source: Buffer;
}

export type SmtpOutcome =
  /** The server has it; `messageId` where it gave the mail another one than it had. */
  | { readonly kind: "sent"; readonly messageId: string | undefined }
  /** The server certainly does not have it. */
  | { readonly kind: "not-sent"; readonly problem: string }
  /** It was handed over, and the server never said what became of it. */
  | { readonly kind: "unknown"; readonly problem: string };

export interface MailSenderOptions {
  readonly server: MailServer;
  readonly tokens: AccessTokens | undefined;
  /** Who is greeting: the domain of the own address. */
  readonly greetingName: string;
}

/** Hands mails to the SMTP server. */
export interface MailSender {
  /**
   * Hands one mail over; the signal gives up. Never rejects. What is lost before the last byte left is not sent: a server
   * keeps nothing of a mail that does not end.
   */
  readonly send: (mail: SmtpMail, signal: AbortSignal) => Promise<SmtpOutcome>;
  /** Until the signal, a connection stays open for a moment, for the next mail; else each mail has one of its own. */
  readonly keepOpen: (signal: AbortSignal) => void;
}

const connectTimeoutMs = 8_000;
/** By then a mail is handed over, or was not sent: whoever waits for it does not wait longer. */
const handOverTimeoutMs = 25_000;
/** After that, what the server says is heard for as long as somebody waits. */
const answerTimeoutMs = 60_000;
/** Servers end what is idle for longer than some seconds themselves. */
const idleMs = 2_000;
const chunkBytes = 16 * 1024;

export function createMailSender(options: MailSenderOptions): MailSender {
  let keepsOpen = false;
  let idle: SMTPConnection | undefined;
  let idleTimer: NodeJS.Timeout | undefined;
  const takeIdle = (): SMTPConnection | undefined => {
    const taken = idle;
    idle = undefined;
    clearTimeout(idleTimer);
    taken?.off("end", forgetIdle);
    return taken;
  };
  /** The server ended it first. */
  const forgetIdle = (): void => void takeIdle();
  const release = (connection: SMTPConnection): void => {
    if (!keepsOpen || idle !== undefined) return connection.close();
    idle = connection;
    idleTimer = setTimeout(() => takeIdle()?.close(), idleMs);
    connection.once("end", forgetIdle);
  };
  return {
    send: async (mail, signal) => {
      const kept = takeIdle();
      if (kept !== undefined) {
        const { outcome, isStale } = await handOver(mail, { ...options, signal, kept, release });
        if (!isStale) return outcome;
      }
      const { outcome } = await handOver(mail, { ...options, signal, release });
      return outcome;
    },
    keepOpen: (signal) => {
      keepsOpen = !signal.aborted;
      const end = (): void => {
        keepsOpen = false;
        takeIdle()?.close();
      };
      signal.addEventListener("abort", end, { once: true });
    },
  };
}

interface HandOverOptions extends MailSenderOptions {
  readonly signal: AbortSignal;
  /** A connection that is open; a new one unless said. */
  readonly kept?: SMTPConnection;
  /** Takes the connection after a mail that was sent. */
  readonly release: (connection: SMTPConnection) => void;
}
interface HandedOver {
  readonly outcome: SmtpOutcome;
  /** The connection had ended while nobody used it, before anything of the mail left. */
  readonly isStale: boolean;
}

async function handOver(mail: SmtpMail, options: HandOverOptions): Promise<HandedOver> {
  const { server, tokens, signal, kept, release } = options;
  const connection = kept ?? createConnection(options);
  const source = toStream(mail.source);
  let isHandedOver = false;
  source.once("end", () => {
    isHandedOver = true;
    clearTimeout(patience);
  });
  const settled = Promise.withResolvers<HandedOver>();
  const fail = (error: SmtpError): void => {
    const { responseCode } = error;
    const problem = `the SMTP server ${server.host} did not take the mail: ${toProblem(error, server)}`;
    // What the server itself says is never in doubt.
    const isInDoubt = isHandedOver && responseCode === undefined;
    const isEnd = responseCode === undefined || responseCode === 421;
    settled.resolve({
      outcome: { kind: isInDoubt ? "unknown" : "not-sent", problem },
      isStale: kept !== undefined && isEnd && !source.readableDidRead,
    });
  };
  const giveUp = (problem: string): void => {
    const kind = isHandedOver ? "unknown" : "not-sent";
    settled.resolve({ outcome: { kind, problem }, isStale: false });
  };
  const patience = setTimeout(
    () => giveUp(`it takes too long to hand a mail over to the SMTP server ${server.host}`),
    handOverTimeoutMs,
  );
  const abort = (): void => giveUp("nobody waits for the mail any more");
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  connection.once("error", fail);

  const send = (): void => {
    const envelope = { from: mail.from, to: [mail.to], size: mail.source.byteLength };
    connection.send(envelope, source, (error, info) => {
      if (error) return fail(error);
      const messageId = info.serverMessageId?.replaceAll(/[<>]/g, "");
      settled.resolve({ outcome: { kind: "sent", messageId }, isStale: false });
    });
  };
  const logIn = (): void => {
    // A server beside us may know everybody on its machine.
    if (!connection.allowsAuth) return send();
    const auth =
      tokens === undefined
        ? { user: server.user, pass: server.password }
        : { user: server.user, oauth2: tokens.source };
    connection.login(auth, (problem) => (problem ? fail(problem) : send()));
  };
  if (kept === undefined) connection.connect((error) => (error ? fail(error) : logIn()));
  else send();

  const handedOver = await settled.promise;
  clearTimeout(patience);
  signal.removeEventListener("abort", abort);
  connection.off("error", fail);
  source.destroy();
  if (handedOver.outcome.kind === "sent") release(connection);
  else connection.close();
  return handedOver;
}

type SmtpError = Error & { readonly responseCode?: number | undefined };

function createConnection({ server, greetingName }: MailSenderOptions): SMTPConnection {
  const connection = new SMTPConnection({
    host: server.host,
    port: server.port,
    name: greetingName,
    secure: server.protection === "tls",
    requireTLS: server.protection === "starttls",
    ignoreTLS: server.protection === "none",
    tls: server.ca === undefined ? {} : { ca: server.ca },
    allowInternalNetworkInterfaces: true,
    connectionTimeout: connectTimeoutMs,
    greetingTimeout: connectTimeoutMs,
    dnsTimeout: connectTimeoutMs,
    socketTimeout: answerTimeoutMs,
    socketCloseTimeout: 0,
    maxResponseSize: 64 * 1024,
  });
  // One that comes late has nobody to tell.
  connection.on("error", () => {});
  return connection;
}

/** Read only while the server takes it, so that its end is the end of the mail. */
function toStream(source: Buffer): Readable {
  let position = 0;
  return new Readable({
    highWaterMark: chunkBytes,
    read() {
      const chunk = source.subarray(position, position + chunkBytes);
      position += chunk.byteLength;
      this.push(chunk.byteLength === 0 ? null : chunk);
    },
  });
}
