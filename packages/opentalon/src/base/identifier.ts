import { randomBytes } from "node:crypto";

/** A short random identifier people can read out: 10 characters, no vowels, no look-alikes. */
export function createIdentifier(): string {
  const alphabet = "bcdfghjkmnpqrstvwxz23456789";
  let text = "";
  for (const byte of randomBytes(10)) text += alphabet[byte % alphabet.length];
  return text;
}
