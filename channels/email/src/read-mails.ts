import type { FetchMessageObject, ImapFlow } from "imapflow";

/** A mail of the mailbox, as much of it as is read. */
export interface FetchedMail {
  readonly uid: number;
  /** `undefined` when there is nothing to be read any more. */
  readonly source: Buffer | undefined;
  /** It is larger than what is read: what came last is missing. */
  readonly isCut: boolean;
}

/** What is known, over connections, of mails that are hard to get. */
export interface Caution {
  /** Mails up to this one are fetched one by one. */
  aloneUntilUid: number;
  /** The only mail that is on its way. */
  fetching: number | undefined;
}

/** As much as the largest files, as they are written in mails. */
export const longestMail = 44 * 1024 * 1024;
/** Mails up to this size come several at once; so many, that they are never more than 4 MiB. */
const smallMail = 128 * 1024;
const mostAtOnce = 32;

const everything = { uid: true, flags: true, size: true } as const;

/**
 * Fetches mails in their order, small ones several at once: over a long way each question takes longer than its answer.
 * @throws Error when the connection ends, or the server sends more than it was asked for.
 */
export async function* readMails(
  client: ImapFlow,
  uids: readonly number[],
  caution: Caution,
): AsyncGenerator<FetchedMail, void> {
  for (let next = 0; next < uids.length;) {
    const isAlone = (uids[next] ?? 0) <= caution.aloneUntilUid;
    const group = uids.slice(next, next + (isAlone ? 1 : mostAtOnce));
    next += group.length;
    const small = group.length > 1 ? await fetchSmall(client, group, caution) : new Map();
    for (const uid of group) yield small.get(uid) ?? (await fetchWhole(client, uid, caution));
  }
}

/** Those of them that are small. */
async function fetchSmall(
  client: ImapFlow,
  uids: readonly number[],
  caution: Caution,
): Promise<ReadonlyMap<number, FetchedMail>> {
  const found = new Map<number, FetchedMail>();
  const wanted = new Set(uids);
  let bytes = 0;
  try {
    const source = { start: 0, maxLength: smallMail };
    for await (const mail of client.fetch(
      uids.join(","),
      { ...everything, source },
      { uid: true },
    )) {
      bytes += mail.source?.byteLength ?? 0;
      if (bytes > uids.length * smallMail)
        throw new Error("the server sends more than it is asked for");
      const isWhole = mail.flags !== undefined && (mail.size ?? Infinity) <= smallMail;
      if (isWhole && mail.source !== undefined && wanted.has(mail.uid))
        found.set(mail.uid, toFetched(mail.uid, mail));
    }
  } catch (error) {
    // One of them may be what ends connections: then it has to be known which, and the others must not wait for it.
    caution.aloneUntilUid = uids.at(-1) ?? 0;
    throw error;
  }
  return found;
}

async function fetchWhole(client: ImapFlow, uid: number, caution: Caution): Promise<FetchedMail> {
  caution.fetching = uid;
  const source = { start: 0, maxLength: longestMail };
  const mail = await client.fetchOne(String(uid), { ...everything, source }, { uid: true });
  caution.fetching = undefined;
  return toFetched(uid, mail === false ? undefined : mail);
}

function toFetched(
  uid: number,
  mail: Pick<FetchMessageObject, "flags" | "size" | "source"> | undefined,
): FetchedMail {
  const isGone = mail?.flags?.has("\\Deleted") === true || mail?.flags?.has("\\Draft") === true;
  const isCut = (mail?.size ?? 0) > longestMail;
  return { uid, source: isGone ? undefined : mail?.source, isCut };
}
