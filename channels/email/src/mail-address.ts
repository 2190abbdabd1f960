import { domainToASCII } from "node:url";
import { addressParser } from "postal-mime";

/** Somebody who can be written to. */
export interface MailAddress {
  /** In the one form it is compared in: lower case, the domain as it stands in the DNS. */
  readonly address: string;
  /** As it came with the mail; anybody may call themselves anything. */
  readonly name: string;
}

const longestAddress = 254;
/** Nothing that means something in a header or in SMTP. */
const localPart = /^[^\p{C}\p{Z}@<>"(),:;\\[\]]+$/u;
const domain =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** `undefined` for what cannot be written to without a doubt; so are quoted names, and addresses of numbers. */
export function toAddress(text: string): string | undefined {
  const at = text.lastIndexOf("@");
  const name = text.slice(0, at).normalize("NFC").toLowerCase();
  const host = domainToASCII(text.slice(at + 1));
  const address = `${name}@${host}`;
  if (at < 1 || address.length > longestAddress) return undefined;
  return localPart.test(name) && domain.test(host) ? address : undefined;
}

/** Everybody a header names; groups are unwrapped, and what is no address is left out. */
export function parseAddresses(value: string): readonly MailAddress[] {
  return addressParser(value, { flatten: true }).flatMap(({ name, address = "" }) => {
    const known = toAddress(address);
    return known === undefined ? [] : [{ address: known, name: toOneLine(name) }];
  });
}

export function toDomain(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1);
}

/** Without what servers let people add to their own address: `talon+shop@…` is `talon@…`. */
export function withoutTag(address: string): string {
  return address.replace(/\+[^@]*(?=@)/, "");
}

/** For headers and for logs: no line ends, nothing that is not seen. */
export function toOneLine(text: string, maxLength = 200): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Z}]+/gu, " ").trim();
  return [...line].slice(0, maxLength).join("").toWellFormed();
}
