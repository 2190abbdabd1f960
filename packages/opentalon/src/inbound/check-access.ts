/**
 * Gets: a message that came in. Gives: whether its sender may talk; a stranger may get a code on the way.
 * Never: lets somebody in because something failed, and keeps nothing of a stranger's message but who wrote it.
 */
import type { Clock } from "../base/clock.ts";
import { toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { createRecentMap } from "../base/recent-map.ts";
import { toActor } from "../domain/actor.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { Pairing } from "./pairing.ts";
import type { Tell } from "./tell-sender.ts";

export type AccessPolicy = "pairing" | "allowlist" | "open" | "closed";

export interface AccessRules {
  readonly policy: AccessPolicy;
  /** Identifiers of senders, alone or as `<channel>:<sender>`. */
  readonly allow: readonly string[];
  /** Actors who may approve codes. */
  readonly approvers: readonly string[];
}

export type AccessDecision =
  | { readonly kind: "admitted" }
  | { readonly kind: "turned-away" }
  /** Nobody can tell right now; the message should come again. */
  | { readonly kind: "undecided" };

export interface CheckAccessOptions {
  readonly rulesOf: (channel: string) => AccessRules;
  readonly pairing: Pick<Pairing, "isApproved" | "issueCode">;
  readonly tell: Tell;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

/** How long a stranger's further messages cost nothing but a look into memory. */
const quietMs = 60_000;
const maxQuiet = 10_000;
/** Lines about strangers in one minute; what is more is counted. */
const maxLines = 10;

/** Makes the check. It never rejects. */
export function createCheckAccess(
  options: CheckAccessOptions,
): (message: InboundMessage) => Promise<AccessDecision> {
  const { rulesOf, pairing, tell, clock, log } = options;
  const quietUntilMs = createRecentMap<number>(maxQuiet);
  const note = createBoundedNote(clock, log);

  /** Gives a stranger a code, unless there is one already. */
  const greet = async (message: InboundMessage): Promise<void> => {
    const key = JSON.stringify([message.channel, message.senderId]);
    if ((quietUntilMs.get(key) ?? 0) > clock.now()) return;
    // A reaction in a group is no wish to talk.
    if (message.content.trim() === "" && message.files.length === 0) return;
    const outcome = await pairing.issueCode(message);
    quietUntilMs.set(key, clock.now() + quietMs);
    if (outcome.kind !== "issued") {
      if (outcome.kind !== "has-one") note(message, strangerWords[outcome.kind]);
      return;
    }
    note(message, "somebody unknown wrote and got a code; `opentalon pairing list` shows it");
    void tell(message, toGreeting(outcome.code), { action: "pairing" }).then(async (isTold) => {
      if (isTold) return;
      // The next message gets another one.
      quietUntilMs.delete(key);
      await outcome.takeBack().catch((error: unknown) => {
        log.warn({ err: error, channel: message.channel }, "a code could not be taken back");
      });
    });
  };

  return async (message) => {
    const rules = rulesOf(message.channel);
    if (rules.policy === "open") return admitted;
    if (rules.policy === "closed") {
      note(message, "a message was ignored: the channel is closed");
      return turnedAway;
    }
    if (message.senderId === "") {
      note(message, "a message was ignored: it does not say who sent it");
      return turnedAway;
    }
    if (isNamed(message, rules)) return admitted;
    if (rules.policy === "allowlist") {
      note(message, "a message was ignored: its sender is not in access.allow");
      return turnedAway;
    }
    try {
      if (await pairing.isApproved(message)) return admitted;
      await greet(message);
      return turnedAway;
    } catch (error) {
      log.error(
        { problem: toMessage(error), channel: message.channel },
        "who may talk could not be read, so a message was refused",
      );
      return undecided;
    }
  };
}

const admitted: AccessDecision = { kind: "admitted" };
const turnedAway: AccessDecision = { kind: "turned-away" };
const undecided: AccessDecision = { kind: "undecided" };

/** What begins with the channel's own name is an actor and nothing else, so that no sender can choose to be one. */
function isNamed(message: InboundMessage, { allow, approvers }: AccessRules): boolean {
  const actor = toActor(message);
  const prefix = `${message.channel}:`;
  const isAllowed = allow.some((entry) =>
    entry.startsWith(prefix) ? entry === actor : entry === message.senderId,
  );
  return isAllowed || approvers.some((entry) => entry.startsWith(prefix) && entry === actor);
}

const strangerWords = {
  "too-many-today": "a stranger writes on after three codes; there is no other one today",
  full: "a stranger got no code: too many wait for approval",
} as const;

function toGreeting(code: string): string {
  return `I do not know you yet. Give this code to whoever runs me: ${code}\nIt is valid for one hour. What you wrote was not kept.`;
}

function createBoundedNote(
  clock: Pick<Clock, "now">,
  log: Log,
): (message: InboundMessage, words: string) => void {
  let startMs = 0;
  let lines = 0;
  return ({ channel, senderId }, words) => {
    const nowMs = clock.now();
    if (nowMs - startMs >= 60_000 || nowMs < startMs) {
      if (lines > maxLines)
        log.info({ count: lines - maxLines }, "more messages were turned away in the last minute");
      startMs = nowMs;
      lines = 0;
    }
    lines += 1;
    if (lines <= maxLines) log.info({ channel, sender: senderId }, words);
  };
}
