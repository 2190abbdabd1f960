/**
 * Codes that strangers are given and that the operator or an approver approves, and who was approved. All of it is kept
 * in the state, so that a restart and a command beside the program see the same.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { createRecentMap } from "../base/recent-map.ts";
import type { Actor } from "../domain/actor.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { KeyValueStore } from "../store/ports.ts";

/** Where a sender is told something. */
export type Place = Pick<InboundMessage, "channel" | "conversationId" | "threadId">;

export interface PairingRequest extends Place {
  readonly code: string;
  readonly senderId: string;
  readonly senderName: string;
  readonly endsAtMs: number;
}

export interface ApprovedSender {
  readonly channel: string;
  readonly senderId: string;
  readonly senderName: string;
  readonly approvedAtMs: number;
  /** The actor who approved it, or `operator`. */
  readonly by: string;
}

export type ApproveOutcome =
  | { readonly kind: "approved"; readonly request: PairingRequest; readonly isNew: boolean }
  /** No such code, over, or not for this approver: which of them is nobody's business. */
  | { readonly kind: "unknown" }
  | { readonly kind: "too-many-wrong" };

export type CodeOutcome =
  | { readonly kind: "issued"; readonly code: string; readonly takeBack: () => Promise<void> }
  /** The sender has one that is still good. */
  | { readonly kind: "has-one" }
  | { readonly kind: "too-many-today" }
  /** Too many strangers have codes. */
  | { readonly kind: "full" };

/** Who approves: the operator, or an actor the configuration may name as an approver. */
export type Approver =
  | { readonly kind: "operator" }
  | { readonly kind: "actor"; readonly actor: Actor };

export interface Pairing {
  /** Rejects as the store does. */
  readonly isApproved: (sender: Sender) => Promise<boolean>;
  readonly issueCode: (message: InboundMessage) => Promise<CodeOutcome>;
  readonly approve: (code: string, by: Approver) => Promise<ApproveOutcome>;
  /** Whether there was somebody to revoke; `actor` is `<channel>:<sender>`. */
  readonly revoke: (actor: string, by: Approver) => Promise<boolean>;
  readonly list: () => Promise<{
    readonly requests: readonly PairingRequest[];
    readonly approved: readonly ApprovedSender[];
  }>;
}

type Sender = Pick<InboundMessage, "channel" | "senderId">;

export interface PairingOptions {
  readonly keyValue: KeyValueStore;
  /** Actors who may approve for a channel. */
  readonly approversOf: (channel: string) => readonly Actor[];
  readonly random: (bytes: number) => Uint8Array;
  readonly clock: Pick<Clock, "now">;
}

const namespace = "core/access";
/** 32 characters that are not mistaken for one another: 8 of them are 40 bits. */
const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const codeLength = 8;
const validMs = 3_600_000;
const dayMs = 24 * 3_600_000;
const maxCodesADay = 3;
const maxPending = 500;
/** Codes of the last day, over or not; they are what is counted for each sender. */
const maxKept = 1_000;
const maxListed = 10_000;
const cacheMs = 5_000;
const maxCached = 10_000;
const maxWrong = 10;
const wrongWindowMs = 600_000;

interface StoredRequest extends PairingRequest {
  readonly approvedBy?: string;
}

export function createPairing(options: PairingOptions): Pairing {
  const { keyValue, approversOf, random, clock } = options;
  const answers = createRecentMap<{ approved: Promise<boolean>; untilMs: number }>(maxCached);
  const wrongCodes = createRecentMap<{ sinceMs: number; count: number }>(1_000);
  let issuing: Promise<unknown> = Promise.resolve();

  const readRequests = async (): Promise<readonly RequestKey[]> => {
    const keys = await keyValue.list(namespace, "request/", maxListed);
    return keys
      .map(parseRequestKey)
      .filter((key) => key !== undefined)
      .sort((one, other) => one.issuedAtMs - other.issuedAtMs);
  };
  const isValid = ({ issuedAtMs }: RequestKey): boolean => clock.now() - issuedAtMs < validMs;
  const read = async <Value>(key: string): Promise<Value | undefined> => {
    const text = await keyValue.get(namespace, key);
    return text === undefined ? undefined : (JSON.parse(text) as Value);
  };
  const mayApprove = (by: Approver, channel: string): boolean =>
    by.kind === "operator" || approversOf(channel).includes(by.actor);

  /** Drops what is older than a day, and the oldest of what is over when too much is kept. */
  const tidy = async (requests: readonly RequestKey[]): Promise<readonly RequestKey[]> => {
    const nowMs = clock.now();
    const over = requests.filter((request) => !isValid(request));
    const excess = Math.max(0, requests.length + 1 - maxKept);
    const dropped = new Set(
      over.filter(({ issuedAtMs }, at) => at < excess || nowMs - issuedAtMs >= dayMs),
    );
    for (const { key } of dropped) await keyValue.delete(namespace, key);
    return requests.filter((request) => !dropped.has(request));
  };

  const issueNow = async (message: InboundMessage): Promise<CodeOutcome> => {
    const kept = await tidy(await readRequests());
    const valid = kept.filter(isValid);
    const sender = toSenderHash(message);
    const own = kept.filter((request) => request.sender === sender);
    if (own.some(isValid)) return { kind: "has-one" };
    if (own.length >= maxCodesADay) return { kind: "too-many-today" };
    if (valid.length >= maxPending || kept.length >= maxKept) return { kind: "full" };
    const code = createCode(random);
    // One in a thousand million, at the worst; the next message tries again.
    if (kept.some((request) => request.code === code)) return { kind: "full" };
    const { channel, conversationId, threadId, senderId, senderName } = message;
    const issuedAtMs = clock.now();
    const key = `request/${String(issuedAtMs).padStart(15, "0")}/${sender}/${code}`;
    const endsAtMs = issuedAtMs + validMs;
    const request = { code, channel, conversationId, threadId, senderId, senderName, endsAtMs };
    await keyValue.set(namespace, key, JSON.stringify(request satisfies StoredRequest));
    return { kind: "issued", code, takeBack: () => keyValue.delete(namespace, key) };
  };

  const countWrong = (by: string): void => {
    const nowMs = clock.now();
    const known = wrongCodes.get(by);
    if (known === undefined || nowMs - known.sinceMs >= wrongWindowMs)
      wrongCodes.set(by, { sinceMs: nowMs, count: 1 });
    else known.count += 1;
  };
  const hasGuessedTooOften = (by: string): boolean => {
    const known = wrongCodes.get(by);
    if (known === undefined || clock.now() - known.sinceMs >= wrongWindowMs) return false;
    return known.count >= maxWrong;
  };

  return {
    isApproved: (sender) => {
      const key = toSenderHash(sender);
      const nowMs = clock.now();
      const known = answers.get(key);
      if (known !== undefined && nowMs < known.untilMs) return known.approved;
      const approved = keyValue
        .get(namespace, `approved/${key}`)
        .then((value) => value !== undefined);
      const answer = { approved, untilMs: nowMs + cacheMs };
      answers.set(key, answer);
      approved.catch(() => {
        if (answers.get(key) === answer) answers.delete(key);
      });
      return approved;
    },
    // One after another: two messages of one stranger must not get two codes.
    issueCode: (message) => {
      const issued = issuing.then(() => issueNow(message));
      issuing = issued.catch(() => undefined);
      return issued;
    },
    approve: async (given, by) => {
      const name = toName(by);
      if (hasGuessedTooOften(name)) return { kind: "too-many-wrong" };
      const code = given.toUpperCase().replaceAll(/[\s-]/g, "");
      const found = (await readRequests()).find((each) => each.code === code && isValid(each));
      const request = found && (await read<StoredRequest>(found.key));
      if (found === undefined || request === undefined || !mayApprove(by, request.channel)) {
        countWrong(name);
        return { kind: "unknown" };
      }
      if (request.approvedBy !== undefined) return { kind: "approved", request, isNew: false };
      const { channel, senderId, senderName } = request;
      const approved: ApprovedSender = {
        channel,
        senderId,
        senderName,
        approvedAtMs: clock.now(),
        by: name,
      };
      const key = toSenderHash(request);
      await keyValue.set(namespace, `approved/${key}`, JSON.stringify(approved));
      answers.delete(key);
      // The code stays until it is over, so that saying it twice is no error.
      const kept: StoredRequest = { ...request, approvedBy: name };
      await keyValue.set(namespace, found.key, JSON.stringify(kept));
      return { kind: "approved", request, isNew: true };
    },
    revoke: async (actor, by) => {
      let isRevoked = false;
      for (const sender of toSenders(actor)) {
        if (!mayApprove(by, sender.channel)) continue;
        const key = toSenderHash(sender);
        if ((await keyValue.get(namespace, `approved/${key}`)) === undefined) continue;
        await keyValue.delete(namespace, `approved/${key}`);
        answers.delete(key);
        isRevoked = true;
      }
      return isRevoked;
    },
    list: async () => {
      const requests: StoredRequest[] = [];
      for (const found of (await readRequests()).filter(isValid)) {
        const request = await read<StoredRequest>(found.key);
        if (request !== undefined && request.approvedBy === undefined) requests.push(request);
      }
      const approved: ApprovedSender[] = [];
      for (const key of await keyValue.list(namespace, "approved/", maxListed)) {
        const sender = await read<ApprovedSender>(key);
        if (sender !== undefined) approved.push(sender);
      }
      approved.sort((one, other) => one.approvedAtMs - other.approvedAtMs);
      return { requests, approved };
    },
  };
}

interface RequestKey {
  readonly key: string;
  readonly issuedAtMs: number;
  readonly sender: string;
  readonly code: string;
}

function parseRequestKey(key: string): RequestKey | undefined {
  const [, issuedAtMs = "", sender = "", code = ""] =
    /^request\/(\d{15})\/([0-9a-f]{64})\/([A-Z2-9]{8})$/.exec(key) ?? [];
  return code === "" ? undefined : { key, issuedAtMs: Number(issuedAtMs), sender, code };
}

/** Unlike an actor's name it cannot be that of two senders, however many colons there are. */
function toSenderHash({ channel, senderId }: Sender): string {
  return createHash("sha256")
    .update(JSON.stringify([channel, senderId]))
    .digest("hex");
}

/** Every way to read `<channel>:<sender>`; both parts may hold colons. */
function toSenders(actor: string): readonly Sender[] {
  const senders: Sender[] = [];
  for (let at = actor.indexOf(":"); at >= 0; at = actor.indexOf(":", at + 1)) {
    senders.push({ channel: actor.slice(0, at), senderId: actor.slice(at + 1) });
  }
  return senders;
}

/** The alphabet has 32 characters, so each byte chooses evenly. */
function createCode(random: PairingOptions["random"]): string {
  return [...random(codeLength)].map((byte) => alphabet[byte % alphabet.length]).join("");
}

function toName(by: Approver): string {
  return by.kind === "operator" ? "operator" : by.actor;
}
