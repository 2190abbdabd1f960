import { toOneLine } from "./mail-address.ts";
import type { MailServer } from "./read-settings.ts";

interface ServerError {
  readonly message: string;
  readonly code?: string | undefined;
  /** Words of an IMAP server. */
  readonly responseText?: string | undefined;
  readonly originalCode?: string | undefined;
}

const longestProblem = 400;

/** What went wrong with a server, in one line for the operator, without the password should the server repeat it. */
export function toProblem(error: unknown, server: Pick<MailServer, "password">): string {
  const { message, responseText, code, originalCode } = toServerError(error);
  const words = responseText === undefined || responseText === "" ? message : responseText;
  const socketCode = originalCode ?? code ?? "";
  const isNamed = !/^E[A-Z]+$/.test(socketCode) || words.includes(socketCode);
  const line = isNamed ? words : `${words} (${socketCode})`;
  return toOneLine(withoutSecret(line, server.password), longestProblem);
}

export function toServerError(error: unknown): ServerError {
  return error instanceof Error ? error : { message: String(error) };
}

function withoutSecret(text: string, secret: string): string {
  if (secret.length < 4) return text;
  return text.replaceAll(secret, "***").replaceAll(Buffer.from(secret).toString("base64"), "***");
}
