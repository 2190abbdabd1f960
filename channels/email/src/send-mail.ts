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

export interface SmtpOptions {
  readonly server: MailServer;
  readonly tokens: AccessTokens | undefined;
  /** Who is greeting: the domain of the own address. */
  readonly greetingName: string;
  /** Gives up. */
  readonly signal: AbortSignal;
}

const connectTimeoutMs = 8_000;
/** By then a mail is handed over, or was not sent: whoever waits for it does not wait longer. */
const handOverTimeoutMs = 25_000;
/** After that, what the server says is heard for as long as somebody waits. */
const answerTimeoutMs = 60_000;
const chunkBytes = 16 * 1024;

/**
 * Hands one mail to the SMTP server, over a connection of its own. Never rejects. What is lost before the last byte left is
 * not sent: a server keeps nothing of a mail that does not end.
 */
export function sendMail(mail: SmtpMail, options: SmtpOptions): Promise<SmtpOutcome> {
  const { server, tokens, greetingName, signal } = options;
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
  const source = toStream(mail.source);
  let isHandedOver = false;
  source.once("end", () => {
    isHandedOver = true;
    clearTimeout(patience);
  });
  const settled = Promise.withResolvers<SmtpOutcome>();
  /** What the server itself says is never in doubt. */
  const fail = (error: Error & { readonly responseCode?: number | undefined }): void => {
    const problem = `the SMTP server ${server.host} did not take the mail: ${toProblem(error, server)}`;
    const isInDoubt = isHandedOver && error.responseCode === undefined;
    settled.resolve({ kind: isInDoubt ? "unknown" : "not-sent", problem });
  };
  const patience = setTimeout(
    () => fail(new Error("it takes too long to hand it over")),
    handOverTimeoutMs,
  );
  const abort = (): void => fail(new Error("nobody waits for it any more"));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  connection.once("error", fail);
  // One that comes late has nobody to tell.
  connection.on("error", () => {});

  const send = (): void => {
    const envelope = { from: mail.from, to: [mail.to], size: mail.source.byteLength };
    connection.send(envelope, source, (error, info) => {
      if (error) return fail(error);
      settled.resolve({ kind: "sent", messageId: info.serverMessageId?.replaceAll(/[<>]/g, "") });
    });
  };
  connection.connect((error) => {
    if (error) return fail(error);
    // A server beside us may know everybody on its machine.
    if (!connection.allowsAuth) return send();
    const auth =
      tokens === undefined
        ? { user: server.user, pass: server.password }
        : { user: server.user, oauth2: tokens.source };
    connection.login(auth, (problem) => (problem ? fail(problem) : send()));
  });

  return settled.promise.finally(() => {
    clearTimeout(patience);
    signal.removeEventListener("abort", abort);
    source.destroy();
    connection.close();
  });
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
