import type { AddressInfo, Socket } from "node:net";
import PostalMime, { type Email } from "postal-mime";
import { SMTPServer, type SMTPServerSession } from "smtp-server";

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly source: string;
  readonly mail: Email;
}

export type SmtpTrouble =
  /** An answer such as `451 later`, at one of the steps. */
  | { readonly at: "sender" | "recipient" | "data"; readonly code: number; readonly text: string }
  /** The connection ends in the middle of the mail. */
  | { readonly at: "data"; readonly kind: "drop-inside" }
  /** All of the mail is there, and then: the end of the connection, or nothing at all. */
  | { readonly at: "data"; readonly kind: "drop-after" | "hang-after" };

export interface SmtpStubOptions {
  readonly user?: string;
  readonly password?: string;
  readonly tokens?: readonly string[];
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A real SMTP server that keeps what it is given. */
export interface SmtpStub extends AsyncDisposable {
  readonly port: number;
  /** In the order they came in. */
  readonly received: readonly ReceivedMail[];
  /** So goes the next mail, or the next ones. */
  readonly troubleWith: (trouble: SmtpTrouble, times?: number) => void;
  /** Takes no mail that is sent from now on, nor refuses it; the returned function ends that. */
  readonly hold: () => () => void;
  readonly dropConnections: () => void;
  readonly connections: () => number;
  /** How many connections there were at all. */
  readonly greeted: () => number;
  /** How many mails were begun. */
  readonly attempts: () => number;
}

export async function startSmtpStub(options: SmtpStubOptions = {}): Promise<SmtpStub> {
  const { user = "talon@example.com", password = "pass word", tokens = [], tls } = options;
  const received: ReceivedMail[] = [];
  const sockets = new Set<Socket>();
  const troubles: SmtpTrouble[] = [];
  let attempts = 0;
  let greeted = 0;
  let isFree = Promise.resolve();
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const findAnswer = (at: SmtpTrouble["at"]): Error | undefined => {
    const [next] = troubles;
    if (next?.at !== at || !("code" in next)) return undefined;
    troubles.shift();
    return Object.assign(new Error(next.text), { responseCode: next.code });
  };
  const keep = async (
    source: string,
    { mailFrom, rcptTo }: SMTPServerSession["envelope"],
  ): Promise<void> => {
    const mail = await PostalMime.parse(source);
    const from = mailFrom === false ? "" : mailFrom.address;
    received.push({ from, to: rcptTo.map(({ address }) => address), source, mail });
  };
  const server = new SMTPServer({
    authMethods: ["PLAIN", "LOGIN", "XOAUTH2"],
    allowInsecureAuth: tls === undefined,
    disabledCommands: tls === undefined ? ["STARTTLS"] : [],
    ...tls,
    disableReverseLookup: true,
    onAuth: (auth, _session, callback) => {
      const isRight =
        auth.method === "XOAUTH2"
          ? tokens.includes(auth.accessToken ?? "")
          : auth.username === user && auth.password === password;
      if (isRight) callback(null, { user });
      else callback(new Error(`Invalid credentials ${auth.password ?? ""}`));
    },
    onMailFrom: (_address, _session, callback) => {
      attempts += 1;
      callback(findAnswer("sender"));
    },
    onRcptTo: (_address, _session, callback) => callback(findAnswer("recipient")),
    onData: (stream, session, callback) => {
      const [trouble] = troubles;
      const kind = trouble !== undefined && "kind" in trouble ? trouble.kind : undefined;
      if (kind !== undefined) troubles.shift();
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        if (kind === "drop-inside") drop();
      });
      stream.on("end", () => {
        if (kind === "drop-inside") return;
        const answer = findAnswer("data");
        if (answer !== undefined) return callback(answer);
        const source = Buffer.concat(chunks).toString();
        const kept = isFree.then(() => keep(source, session.envelope));
        void kept.then(() => {
          if (kind === "drop-after") return drop();
          return kind === "hang-after" ? undefined : setImmediate(callback);
        });
      });
    },
  });
  server.on("error", () => {});
  server.server.on("connection", (socket: Socket) => {
    greeted += 1;
    sockets.add(socket);
    socket.setNoDelay();
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.server.address() as AddressInfo).port,
    received,
    troubleWith: (trouble, times = 1) => {
      for (let time = 0; time < times; time += 1) troubles.push(trouble);
    },
    hold: () => {
      const held = Promise.withResolvers<void>();
      isFree = held.promise;
      return () => held.resolve();
    },
    dropConnections: drop,
    connections: () => sockets.size,
    greeted: () => greeted,
    attempts: () => attempts,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        drop();
      }),
  };
}
