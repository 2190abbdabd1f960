import { toDomain } from "./mail-address.ts";

/** What the own mail server found out about the sender of a mail, in `Authentication-Results` (RFC 8601). */
export type SenderCheck =
  | { readonly kind: "authentic" }
  | { readonly kind: "forged" | "unchecked"; readonly reason: string };

interface Result {
  readonly method: string;
  readonly value: string;
  readonly properties: ReadonlyMap<string, string>;
}

export interface MailHeader {
  /** In lower case. */
  readonly key: string;
  readonly value: string;
}

/**
 * Whether the address a mail says it comes from is true. Everybody can write such headers into a mail, so only those count
 * that bear the name of the own server, and only the topmost ones that follow on each other: a server puts its own above all
 * that came with the mail.
 */
export function checkSender(
  headers: readonly MailHeader[],
  from: string,
  authservIds: readonly string[],
): SenderCheck {
  const results = readOwnResults(headers, new Set(authservIds.map((id) => id.toLowerCase())));
  if (results === undefined) {
    const reason = `it has no Authentication-Results of ${authservIds.join(" or ")}${namesOfOthers(headers)}`;
    return { kind: "unchecked", reason };
  }
  // The server itself let this person in, and took the mail from them.
  const hasLoggedIn = results.some(
    ({ method, value, properties }) =>
      method === "auth" && value === "pass" && properties.get("smtp.auth")?.toLowerCase() === from,
  );
  if (hasLoggedIn) return { kind: "authentic" };
  const sender = toDomain(from);
  const verdicts = results.filter(({ method }) => method === "dmarc");
  if (verdicts.length > 0) {
    const isProven = verdicts.every(
      ({ value, properties }) =>
        value === "pass" && isAligned(sender, properties.get("header.from") ?? ""),
    );
    if (isProven) return { kind: "authentic" };
    return { kind: "forged", reason: `its sender ${from} is not proven: DMARC did not pass` };
  }
  const isProven = results.some(
    ({ method, value, properties }) =>
      value === "pass" &&
      ((method === "dkim" &&
        isAligned(sender, properties.get("header.d") ?? properties.get("header.i") ?? "")) ||
        (method === "spf" && isAligned(sender, properties.get("smtp.mailfrom") ?? ""))),
  );
  if (isProven) return { kind: "authentic" };
  return {
    kind: "forged",
    reason: `its sender ${from} is not proven: neither DKIM nor SPF passed`,
  };
}

/** Who may sign for `example.com` may speak for all below it, and nobody else may. */
function isAligned(sender: string, property: string): boolean {
  const signer = toDomain(property.toLowerCase());
  if (!signer.includes(".")) return false;
  return sender === signer || sender.endsWith(`.${signer}`);
}

function readOwnResults(
  headers: readonly MailHeader[],
  own: ReadonlySet<string>,
): readonly Result[] | undefined {
  const parsed = headers.map((header) => parseHeader(header));
  const first = parsed.findIndex((each) => each !== undefined && own.has(each.server));
  if (first < 0) return undefined;
  const after = parsed.findIndex(
    (each, index) => index > first && (each === undefined || !own.has(each.server)),
  );
  const run = parsed.slice(first, after < 0 ? undefined : after);
  return run.flatMap((each) => each?.results ?? []);
}

function parseHeader({
  key,
  value,
}: MailHeader): { readonly server: string; readonly results: readonly Result[] } | undefined {
  if (key !== "authentication-results") return undefined;
  const [server = "", ...parts] = splitResults(value.slice(0, longestHeader));
  return {
    server: (/^[^\s]+/.exec(server)?.[0] ?? "").toLowerCase(),
    results: value.length > longestHeader ? unread : parts.flatMap((part) => parseResult(part)),
  };
}

const longestHeader = 20_000;
/** It stands in its place all the same: else one below it, of somebody else, would count instead. */
const unread: readonly Result[] = [{ method: "dmarc", value: "unread", properties: new Map() }];

function parseResult(part: string): readonly Result[] {
  const words = part.split(/\s+/).filter((word) => word !== "");
  const [, method = "", value = ""] =
    /^([a-z0-9-]+)(?:\/\d+)?=([a-z0-9]+)$/i.exec(words[0] ?? "") ?? [];
  if (method === "") return [];
  const properties = words.slice(1).flatMap((word) => {
    const [, name = "", text = ""] = /^([a-z0-9.-]+)=(.*)$/i.exec(word) ?? [];
    return name === "" ? [] : [[name.toLowerCase(), text] as const];
  });
  return [
    { method: method.toLowerCase(), value: value.toLowerCase(), properties: new Map(properties) },
  ];
}

/** The parts between semicolons, without comments; a quoted string becomes `?`, so that nothing inside of it counts. */
function splitResults(value: string): readonly string[] {
  const parts = [""];
  let depth = 0;
  let isQuoted = false;
  const add = (text: string): void => {
    parts[parts.length - 1] += text;
  };
  for (let index = 0; index < value.length; index += 1) {
    const character = value.charAt(index);
    if (character === "\\") index += 1;
    else if (isQuoted) isQuoted = character !== '"';
    else if (character === "(") depth += 1;
    else if (character === ")") depth = Math.max(0, depth - 1);
    else if (depth > 0) continue;
    else if (character === '"') {
      isQuoted = true;
      add("?");
    } else if (character === ";") parts.push("");
    else add(character);
  }
  return parts.map((part) => part.replaceAll(/\s+/g, " ").replaceAll(/ ?= ?/g, "=").trim());
}

function namesOfOthers(headers: readonly MailHeader[]): string {
  const names = headers.flatMap((header) => parseHeader(header)?.server ?? []);
  const shown = [...new Set(names)].filter((name) => /^[a-z0-9.-]{1,100}$/.test(name)).slice(0, 3);
  return shown.length === 0 ? "" : ` (only of ${shown.join(", ")})`;
}
