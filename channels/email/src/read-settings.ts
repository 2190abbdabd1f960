import { isIP } from "node:net";
import type { MailRules } from "./judge-mail.ts";
import { toAddress, toOneLine, withoutTag } from "./mail-address.ts";

/** How the connection to a server is protected. */
export type Protection =
  /** From the first byte. */
  | "tls"
  /** After a word in the clear, without which nothing else is said. */
  | "starttls"
  /** Not at all; on this machine only. */
  | "none";

export interface MailServer {
  readonly host: string;
  readonly port: number;
  readonly protection: Protection;
  readonly user: string;
  /** Empty where tokens are used. */
  readonly password: string;
  /** A certificate of an authority that the system does not know, as PEM. */
  readonly ca: string | undefined;
}

/** What access tokens are asked for with (OAuth 2.0). */
export interface TokenSettings {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly refreshToken: string;
}

export interface EmailSettings extends MailRules {
  readonly address: string;
  /** The name answers come from; empty for none. */
  readonly fromName: string;
  readonly imap: MailServer;
  readonly smtp: MailServer;
  readonly tokens: TokenSettings | undefined;
  readonly folder: string;
  /** Where mails go that were handed over; they stay where they are when empty. */
  readonly moveTo: string;
  /** So many mails of a thread are read in an hour, and three times as many of a person. */
  readonly maxMailsPerHour: number;
}

type Entry = Readonly<Record<string, unknown>>;

const keys =
  "address password user from_name aliases imap smtp oauth folder move_to require_authentication authserv_id max_mails_per_hour".split(
    " ",
  );
const serverKeys = "host port tls user password ca".split(" ");
const tokenKeys = "token_url client_id client_secret refresh_token".split(" ");

const ports = {
  imap: { tls: 993, starttls: 143, none: 143 },
  smtp: { tls: 465, starttls: 587, none: 25 },
} as const;

/** @throws Error that names the key, and never what it holds. */
export function readSettings(config: Entry): EmailSettings {
  refuseUnknown(config, keys, "config");
  const address = toAddress(readText(config, "address", "config"));
  if (address === undefined)
    throw new Error(
      "config.address has to be the address people write to, such as talon@example.com",
    );
  const tokens = readTokens(config);
  const password = readText(config, "password", "config", "");
  const common = {
    user: readText(config, "user", "config", address),
    password,
    hasTokens: tokens !== undefined,
  };
  const imap = readServer(config, "imap", common);
  const smtp = readServer(config, "smtp", common);
  const authservIds = readTexts(config, "authserv_id");
  const requireAuthentication = readFlag(config, "require_authentication", true);
  if (requireAuthentication && authservIds.length === 0) {
    throw new Error(
      "set config.authserv_id to the name your mail server writes first into Authentication-Results headers (Gmail: mx.google.com), so that forged senders are recognised; or config.require_authentication to false, if you accept that anybody can write as anybody",
    );
  }
  return {
    address,
    ownAddresses: [address, ...readAddresses(config)].map(withoutTag),
    fromName: toOneLine(readText(config, "from_name", "config", "")),
    imap,
    smtp,
    tokens,
    folder: readText(config, "folder", "config", "INBOX"),
    moveTo: readText(config, "move_to", "config", ""),
    requireAuthentication,
    authservIds,
    maxMailsPerHour: readNumber(config, "max_mails_per_hour", "config", 20, 100_000),
  };
}

function readServer(
  config: Entry,
  name: "imap" | "smtp",
  common: { readonly user: string; readonly password: string; readonly hasTokens: boolean },
): MailServer {
  const path = `config.${name}`;
  const entry = readEntry(config, name);
  if (entry === undefined)
    throw new Error(`set ${path}.host to the server of ${name.toUpperCase()}`);
  refuseUnknown(entry, serverKeys, path);
  const host = readText(entry, "host", path).trim();
  if (!/^[a-zA-Z0-9.:_-]{1,253}$/.test(host))
    throw new Error(`${path}.host has to be the name of a server`);
  const given = readNumber(entry, "port", path, 0, 65_535);
  const protection = readProtection(entry, path, given === ports[name].starttls || given === 25);
  if (protection === "none" && !isLoopback(host))
    throw new Error(`${path}.tls cannot be false: ${path}.host is not on this machine`);
  const password = readText(entry, "password", path, common.password);
  if (password === "" && !common.hasTokens)
    throw new Error(`set ${path}.password, or config.password for both servers`);
  return {
    host,
    port: given === 0 ? ports[name][protection] : given,
    protection,
    user: readText(entry, "user", path, common.user),
    password,
    ca: readText(entry, "ca", path, "") || undefined,
  };
}

function readProtection(entry: Entry, path: string, isUpgraded: boolean): Protection {
  const value = entry["tls"];
  if (value === undefined) return isUpgraded ? "starttls" : "tls";
  if (value === true) return "tls";
  if (value === false) return "none";
  if (value === "starttls") return "starttls";
  throw new Error(`${path}.tls has to be true, starttls or false`);
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 0) return host === "localhost";
  return host === "::1" || host.startsWith("127.");
}

function readTokens(config: Entry): TokenSettings | undefined {
  const entry = readEntry(config, "oauth");
  if (entry === undefined) return undefined;
  refuseUnknown(entry, tokenKeys, "config.oauth");
  const tokenUrl = readText(entry, "token_url", "config.oauth");
  const url = URL.canParse(tokenUrl) ? new URL(tokenUrl) : undefined;
  const isSafe =
    url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.hostname));
  if (!isSafe) throw new Error("config.oauth.token_url has to be an https address");
  return {
    tokenUrl,
    clientId: readText(entry, "client_id", "config.oauth"),
    clientSecret: readText(entry, "client_secret", "config.oauth", ""),
    refreshToken: readText(entry, "refresh_token", "config.oauth"),
  };
}

function readAddresses(config: Entry): readonly string[] {
  return readTexts(config, "aliases").map((text) => {
    const address = toAddress(text);
    if (address === undefined) throw new Error("config.aliases has to be a list of addresses");
    return address;
  });
}

function refuseUnknown(entry: Entry, known: readonly string[], path: string): void {
  const unknown = Object.keys(entry).find((key) => !known.includes(key));
  if (unknown !== undefined)
    throw new Error(
      `${path}.${toOneLine(unknown, 50)} is not known; there are ${known.join(", ")}`,
    );
}

function readEntry(config: Entry, key: string): Entry | undefined {
  const value = config[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value))
    throw new Error(`config.${key} has to hold settings of its own`);
  return value as Entry;
}

/** `whenAbsent` makes a text that may be left out. */
function readText(entry: Entry, key: string, path: string, whenAbsent?: string): string {
  const value = entry[key] ?? whenAbsent;
  const text = typeof value === "number" ? String(value) : value;
  if (text === undefined || (text === "" && whenAbsent === undefined))
    throw new Error(`set ${path}.${key}`);
  if (typeof text !== "string") throw new Error(`${path}.${key} has to be a text`);
  if (key !== "ca" && /[\r\n\0]/.test(text)) throw new Error(`${path}.${key} has to be one line`);
  return text;
}

function readTexts(config: Entry, key: string): readonly string[] {
  const value = config[key] ?? [];
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > 50) throw new Error(`config.${key} has too many entries`);
  return list.flatMap((each) => {
    if (typeof each !== "string")
      throw new Error(`config.${key} has to be a text, or a list of texts`);
    return each.trim() === "" ? [] : [each.trim()];
  });
}

function readFlag(config: Entry, key: string, whenAbsent: boolean): boolean {
  const value = config[key] ?? whenAbsent;
  if (typeof value !== "boolean") throw new Error(`config.${key} has to be true or false`);
  return value;
}

function readNumber(
  entry: Entry,
  key: string,
  path: string,
  whenAbsent: number,
  max: number,
): number {
  const value = entry[key];
  if (value === undefined || value === null) return whenAbsent;
  const number = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 1 || number > max)
    throw new Error(`${path}.${key} has to be a whole number from 1 to ${max}`);
  return number;
}
