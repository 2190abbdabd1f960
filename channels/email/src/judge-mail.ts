import { checkSender } from "./authentication-results.ts";
import { toDomain, withoutTag } from "./mail-address.ts";
import type { Mail } from "./read-mail.ts";

export interface MailRules {
  /** The channel's own addresses, in the form of `toAddress`. */
  readonly ownAddresses: readonly string[];
  readonly requireAuthentication: boolean;
  readonly authservIds: readonly string[];
}

export type MailVerdict =
  | {
      readonly kind: "take";
      /** The person's address; proven where that is required. */
      readonly sender: string;
      readonly senderName: string;
      /** Where an answer goes. */
      readonly answerTo: string;
      readonly isGroup: boolean;
    }
  | { readonly kind: "ignore"; readonly reason: string };

const machineNames =
  /^(?:mailer-daemon|postmaster|(?:.*[._-])?(?:no-?reply|do-?not-?reply)(?:[._+-].*)?|bounces?(?:[._+-].*)?|.*-bounces?|(?:.*-)?(?:owner|request)|listserv|majordomo)$/;
const bulkPrecedence = /^\s*(?:bulk|list|junk|auto_reply)\s*$/i;
/** A mail of a person has none of them. */
const machineHeaders = [
  ["list-id", "it came over a mailing list"],
  ["list-unsubscribe", "it came over a mailing list"],
  ["list-post", "it came over a mailing list"],
  ["x-autoreply", "it is an automatic reply"],
  ["x-autorespond", "it is an automatic reply"],
  ["x-failed-recipients", "it is a delivery report"],
] as const;

/** Whether a mail is answered: one of a person to this address, who is who they say. */
export function judgeMail(mail: Mail, rules: MailRules): MailVerdict {
  const ignore = (reason: string): MailVerdict => ({ kind: "ignore", reason });
  const [from] = mail.from;
  if (from === undefined || mail.from.length > 1 || countOf(mail, "from") !== 1)
    return ignore("it does not name exactly one sender");
  const sender = from.address;
  if (rules.ownAddresses.includes(withoutTag(sender))) return ignore("it is our own");
  const machine = findMachine(mail, sender);
  if (machine !== undefined) return ignore(machine);
  const isOwn = (address: string): boolean => rules.ownAddresses.includes(withoutTag(address));
  if (!mail.to.some(({ address }) => isOwn(address))) {
    const isCopy = mail.cc.some(({ address }) => isOwn(address));
    return ignore(
      isCopy
        ? "it is only a copy, addressed to others"
        : "it is not addressed to us; an address that is ours belongs into config.aliases",
    );
  }
  const check = rules.authservIds.length === 0 ? undefined : checkOf(mail, sender, rules);
  if (rules.requireAuthentication && check?.kind !== "authentic")
    return ignore(check?.reason ?? "its sender cannot be checked");
  const others = [...mail.to, ...mail.cc].filter(
    ({ address }) => !isOwn(address) && address !== sender,
  );
  return {
    kind: "take",
    sender,
    senderName: from.name,
    answerTo: check?.kind === "authentic" ? toAnswerAddress(mail, sender) : sender,
    isGroup: others.length > 0,
  };
}

function checkOf(
  mail: Mail,
  sender: string,
  { authservIds }: MailRules,
): ReturnType<typeof checkSender> {
  return checkSender(mail.headers, sender, authservIds);
}

/**
 * `Reply-To` sends an answer, with what the sender may see, to somewhere else. It is followed where the sender is proven, and
 * only inside of the sender's own domain.
 */
function toAnswerAddress({ replyTo }: Mail, sender: string): string {
  const [only] = replyTo;
  if (only === undefined || replyTo.length > 1) return sender;
  return toDomain(only.address) === toDomain(sender) ? only.address : sender;
}

/** Why the mail comes from a program, which must never be answered: two that answer each other do not stop. */
function findMachine(mail: Mail, sender: string): string | undefined {
  const { headers, isReport } = mail;
  const valueOf = (name: string): string | undefined =>
    headers.find(({ key }) => key === name)?.value;
  const submitted = valueOf("auto-submitted") ?? "no";
  if (!/^\s*no\s*(?:[;(].*)?$/i.test(submitted)) return "it was sent by a program";
  if (bulkPrecedence.test(valueOf("precedence") ?? "")) return "it is bulk mail";
  for (const [name, reason] of machineHeaders) {
    if (valueOf(name) !== undefined) return reason;
  }
  if (/\b(?:all|autoreply)\b/i.test(valueOf("x-auto-response-suppress") ?? ""))
    return "it asks not to be answered by a program";
  if (/^\s*<\s*>\s*$/.test(valueOf("return-path") ?? "")) return "it is a delivery report";
  if (isReport) return "it is a delivery report";
  if (machineNames.test(sender.slice(0, sender.lastIndexOf("@"))))
    return "its sender takes no answers";
  return undefined;
}

function countOf({ headers }: Mail, name: string): number {
  return headers.filter(({ key }) => key === name).length;
}
