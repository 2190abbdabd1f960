import { createServer, type AddressInfo, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";

/** A mail in the only account of a stub. */
export interface StubMail {
  readonly uid: number;
  readonly folder: string;
  readonly flags: ReadonlySet<string>;
  readonly source: Buffer;
}

export interface ImapStubOptions {
  readonly user?: string;
  readonly password?: string;
  /** Tokens that are taken in place of the password. */
  readonly tokens?: readonly string[];
  /** Whether it tells of new mail by itself. */
  readonly hasIdle?: boolean;
  /** Key and certificate, for STARTTLS, without which nobody may log in then. */
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly folders?: readonly string[];
}

/** As much of a server of IMAP4rev1 as the channel speaks with, over real sockets. */
export interface ImapStub extends AsyncDisposable {
  readonly port: number;
  /** A mail arrives in INBOX; its UID. It may claim to be larger than it is. */
  readonly deliver: (source: string | Buffer, size?: number) => number;
  /** The same without a word to who listens. */
  readonly deliverSilently: (source: string | Buffer) => number;
  readonly mails: () => readonly StubMail[];
  /** Gives INBOX another UIDVALIDITY, and its mails other UIDs; connections end, as servers do it then. */
  readonly renumber: () => void;
  readonly dropConnections: () => void;
  /** So many times the connection ends in the middle of a mail. */
  readonly breakFetches: (count: number) => void;
  /** Announces a mail of 1 GB in place of each that is asked for, or of one only, while it is on. */
  readonly lieAboutSizes: (isOn: boolean, uid?: number) => void;
  /** Does not give a mail that holds these words, as often as that. */
  readonly withhold: (words: string, times: number) => void;
  /** Answers logins with this, from now on; none to let people in again. */
  readonly refuseLogins: (answer: string | undefined) => void;
  /** Answers that late, from now on. */
  readonly slowDown: (delayMs: number) => void;
  readonly commands: readonly string[];
  readonly connections: () => number;
  /** How often somebody logged in. */
  readonly logins: () => number;
  /** No connection is taken, until it opens again. */
  readonly close: () => void;
  readonly open: () => void;
}

interface Stored {
  uid: number;
  folder: string;
  readonly flags: Set<string>;
  readonly source: Buffer;
  readonly size: number;
}

export async function startImapStub(options: ImapStubOptions = {}): Promise<ImapStub> {
  const { user = "talon@example.com", password = "pass word", tokens = [] } = options;
  const { hasIdle = true, tls, folders = ["INBOX"] } = options;
  const mails: Stored[] = [];
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const idlers = new Set<() => void>();
  let uidValidity = 7;
  let nextUid = 1;
  let logins = 0;
  let breaks = 0;
  let withheld = { words: "", times: 0 };
  let isLying = (_uid: number): boolean => false;
  let refusal: string | undefined;
  let delayMs = 0;
  let isOpen = true;

  const inFolder = (folder: string): Stored[] => mails.filter((mail) => mail.folder === folder);

  const serve = (plain: Socket): void => {
    let socket = plain;
    let isSecure = tls === undefined;
    let folder: string | undefined;
    let known = 0;
    let idleTag: string | undefined;
    /** Tag of a command that waits for the answer of the client. */
    let awaited: string | undefined;
    const timers = new Set<NodeJS.Timeout>();

    const write = (text: string | Buffer): void => {
      if (delayMs === 0) return void socket.write(text);
      const timer = setTimeout(() => {
        timers.delete(timer);
        socket.write(text);
      }, delayMs);
      timers.add(timer);
    };
    const line = (text: string): void => write(`${text}\r\n`);
    const tellNews = (): void => {
      if (folder === undefined) return;
      const count = inFolder(folder).length;
      if (count !== known) line(`* ${count} EXISTS`);
      known = count;
    };
    const onNews = (): void => {
      if (idleTag !== undefined) tellNews();
    };
    idlers.add(onNews);

    const capabilities = (): string =>
      [
        "IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=LOGIN AUTH=XOAUTH2 ID NAMESPACE UIDPLUS MOVE UNSELECT",
        ...(hasIdle ? ["IDLE"] : []),
        ...(isSecure ? [] : ["STARTTLS LOGINDISABLED"]),
      ].join(" ");

    const logIn = (tag: string, isRight: boolean): void => {
      if (refusal !== undefined) return line(`${tag} NO ${refusal}`);
      if (!isRight || !isSecure)
        return line(`${tag} NO [AUTHENTICATIONFAILED] Invalid credentials`);
      logins += 1;
      line(`${tag} OK [CAPABILITY ${capabilities()}] Logged in`);
    };

    const authenticate = (tag: string, encoded: string): void => {
      const response = Buffer.from(encoded, "base64").toString();
      const bearer = /auth=Bearer ([^\u0001]*)/.exec(response)?.[1];
      const [, name, secret] = response.split("\0");
      logIn(
        tag,
        bearer === undefined ? name === user && secret === password : tokens.includes(bearer),
      );
    };

    const run = (command: string): void => {
      if (idleTag !== undefined) {
        line(`${idleTag} OK IDLE terminated`);
        idleTag = undefined;
        return;
      }
      if (awaited !== undefined) {
        authenticate(awaited, command);
        awaited = undefined;
        return;
      }
      const [, tag = "", rest = ""] = /^(\S+) (.*)$/s.exec(command) ?? [];
      const words = splitWords(rest);
      const isUid = words[0]?.toUpperCase() === "UID";
      const verb = (isUid ? words[1] : words[0])?.toUpperCase() ?? "";
      const values = words.slice(isUid ? 2 : 1);
      commands.push(/^(?:LOGIN|AUTHENTICATE)$/.test(verb) ? verb : rest);
      const ok = (text = "done"): void => line(`${tag} OK ${text}`);
      switch (verb) {
        case "CAPABILITY":
          line(`* CAPABILITY ${capabilities()}`);
          return ok();
        case "STARTTLS": {
          if (tls === undefined || isSecure) return line(`${tag} BAD not now`);
          line(`${tag} OK begin`);
          plain.removeAllListeners("data");
          const secured = new TLSSocket(plain, {
            isServer: true,
            secureContext: createSecureContext(tls),
          });
          secured.on("error", () => plain.destroy());
          socket = secured;
          isSecure = true;
          return listen(secured);
        }
        case "ID":
          line('* ID ("name" "stub")');
          return ok();
        case "LOGIN":
          return logIn(tag, values[0] === user && values[1] === password);
        case "AUTHENTICATE":
          if (values[1] !== undefined) return authenticate(tag, values[1]);
          awaited = tag;
          return line("+ ");
        case "NAMESPACE":
          line('* NAMESPACE (("" "/")) NIL NIL');
          return ok();
        case "LIST":
        case "LSUB": {
          const wanted = values.at(-1) ?? "";
          for (const each of folders) {
            if (wanted === "*" || wanted === each) line(`* ${verb} () "/" "${each}"`);
          }
          return ok();
        }
        case "SELECT":
        case "EXAMINE": {
          const name = values[0] ?? "";
          if (!folders.includes(name)) return line(`${tag} NO [NONEXISTENT] no such folder`);
          folder = name;
          known = inFolder(name).length;
          line("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)");
          line(`* ${known} EXISTS`);
          line("* 0 RECENT");
          line(`* OK [UIDVALIDITY ${uidValidity}] valid`);
          line(`* OK [UIDNEXT ${nextUid}] next`);
          line("* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] limited");
          return ok("[READ-WRITE] selected");
        }
        case "SEARCH": {
          const range = values[1] ?? values[0] ?? "";
          const all = inFolder(folder ?? "");
          const last = all.at(-1)?.uid ?? 0;
          const found = all.filter(({ uid }) => isInRange(uid, range, last));
          tellNews();
          line(`* SEARCH${found.map(({ uid }) => ` ${uid}`).join("")}`);
          return ok();
        }
        case "FETCH": {
          const all = inFolder(folder ?? "");
          const [, start = "0", length = "0"] = /<(\d+)\.(\d+)>/.exec(rest) ?? [];
          for (const [index, mail] of all.entries()) {
            if (!isInRange(mail.uid, values[0] ?? "", 0)) continue;
            const limited = mail.source.subarray(Number(start), Number(start) + Number(length));
            const head = `* ${index + 1} FETCH (UID ${mail.uid} FLAGS (${[...mail.flags].join(" ")}) RFC822.SIZE ${mail.size} BODY[]<${start}> {${limited.length}}\r\n`;
            if (withheld.times > 0 && mail.source.includes(withheld.words)) {
              withheld.times -= 1;
              return line(`${tag} NO [SERVERBUG] Internal error occurred`);
            }
            if (isLying(mail.uid))
              return void socket.write(head.replace(/\{\d+\}/, "{1073741824}"));
            if (breaks > 0) {
              breaks -= 1;
              socket.write(head);
              socket.write(limited.subarray(0, Math.floor(limited.length / 2)));
              return void socket.end();
            }
            write(Buffer.concat([Buffer.from(head), limited, Buffer.from(")\r\n")]));
          }
          return ok();
        }
        case "STORE": {
          const flags = (/\(([^)]*)\)/.exec(rest)?.[1] ?? "").split(" ");
          for (const mail of inFolder(folder ?? "")) {
            if (!isInRange(mail.uid, values[0] ?? "", 0)) continue;
            for (const flag of flags) mail.flags.add(flag);
          }
          return ok();
        }
        case "MOVE": {
          const target = values[1] ?? "";
          if (!folders.includes(target)) return line(`${tag} NO [TRYCREATE] no such folder`);
          for (const mail of inFolder(folder ?? "")) {
            if (isInRange(mail.uid, values[0] ?? "", 0)) mail.folder = target;
          }
          known = inFolder(folder ?? "").length;
          return ok();
        }
        case "IDLE":
          if (!hasIdle) return line(`${tag} BAD unknown`);
          idleTag = tag;
          line("+ idling");
          return tellNews();
        case "NOOP":
          tellNews();
          return ok();
        case "LOGOUT":
          line("* BYE bye");
          ok();
          return void socket.end();
        default:
          return line(`${tag} BAD unknown command`);
      }
    };

    const listen = (source: Socket): void => {
      let buffered = Buffer.alloc(0);
      /** What of the command was read already, with its literals in quotes. */
      let begun = "";
      source.on("data", (bytes: Buffer) => {
        buffered = Buffer.concat([buffered, bytes]);
        for (;;) {
          const end = buffered.indexOf("\r\n");
          if (end < 0) return;
          const text = buffered.subarray(0, end).toString();
          const [, length, plus] = /\{(\d+)(\+?)\}$/.exec(text) ?? [];
          if (length === undefined) {
            buffered = buffered.subarray(end + 2);
            const command = begun + text;
            begun = "";
            run(command);
            continue;
          }
          if (plus === "" && !begun.endsWith("\0")) {
            begun += "\0";
            line("+ go on");
          }
          const literalEnd = end + 2 + Number(length);
          if (buffered.length < literalEnd) return;
          const literal = buffered.subarray(end + 2, literalEnd).toString();
          begun = `${begun.replaceAll("\0", "")}${text.replace(/\{\d+\+?\}$/, "")}"${literal}"`;
          buffered = buffered.subarray(literalEnd);
        }
      });
    };

    plain.on("error", () => {});
    plain.once("close", () => {
      sockets.delete(plain);
      idlers.delete(onNews);
      for (const timer of timers) clearTimeout(timer);
    });
    listen(plain);
    line(`* OK [CAPABILITY ${capabilities()}] stub ready`);
  };

  const server = createServer((socket) => {
    if (!isOpen) return void socket.destroy();
    sockets.add(socket);
    socket.setNoDelay();
    serve(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const store = (given: string | Buffer, size?: number): number => {
    const uid = nextUid;
    nextUid += 1;
    const source = Buffer.from(given);
    mails.push({ uid, folder: "INBOX", flags: new Set(), source, size: size ?? source.length });
    return uid;
  };
  return {
    port: (server.address() as AddressInfo).port,
    deliver: (source, size) => {
      const uid = store(source, size);
      for (const tellNews of idlers) tellNews();
      return uid;
    },
    deliverSilently: store,
    mails: () => mails,
    renumber: () => {
      uidValidity += 1;
      for (const [index, mail] of mails.entries()) mail.uid = index + 1;
      nextUid = mails.length + 1;
      drop();
    },
    dropConnections: drop,
    breakFetches: (count) => {
      breaks = count;
    },
    withhold: (words, times) => {
      withheld = { words, times };
    },
    lieAboutSizes: (isOn, only) => {
      isLying = (uid) => isOn && (only === undefined || only === uid);
    },
    refuseLogins: (answer) => {
      refusal = answer;
    },
    slowDown: (timeMs) => {
      delayMs = timeMs;
    },
    commands,
    connections: () => sockets.size,
    logins: () => logins,
    close: () => {
      isOpen = false;
      drop();
    },
    open: () => {
      isOpen = true;
    },
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        drop();
      }),
  };
}

/** Words and quoted words of a command; lists stay as they are. */
function splitWords(text: string): string[] {
  const words = text.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g);
  return [...words].map(([, quoted, bare = ""]) => quoted?.replaceAll(/\\(.)/g, "$1") ?? bare);
}

/** Whether a set such as `1,4:*` holds it. */
function isInRange(uid: number, set: string, last: number): boolean {
  return set.split(",").some((range) => {
    const [from = "", to = from] = range.split(":");
    const lower = from === "*" ? last : Number(from);
    const upper = to === "*" ? last : Number(to);
    return uid >= Math.min(lower, upper) && uid <= Math.max(lower, upper);
  });
}
