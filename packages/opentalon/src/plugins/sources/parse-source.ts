import { isAbsolute } from "node:path";
import { SourceError } from "../../base/errors.ts";
import { isLoopbackUrl } from "../../base/loopback-url.ts";

/** Where git fetches from. */
export interface SourceAddress {
  /** For git. */
  readonly url: string;
  /** The only protocol git may speak for it, redirects included. */
  readonly protocol: "https" | "http" | "ssh" | "git" | "file";
  /** A folder name made of its last two parts, such as `owner-repo`. */
  readonly folderName: string;
}

const shortForm = /^[A-Za-z0-9][\w.-]{0,99}\/[\w.-]{1,100}$/;
const copyForm = /^\w[\w.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^\s:-][^\s]*$/;
const maxLength = 2_048;

/**
 * Reads `owner/name` (on GitHub), a URL of https, ssh or file, `user@host:path`, or an absolute path. Http and git
 * are taken on this machine only: on the way from elsewhere anybody could put other code in their place.
 * @throws SourceError
 */
export function parseSourceAddress(text: string): SourceAddress {
  const fail = (problem: string): SourceError =>
    new SourceError("SOURCE_INVALID", `${quote(text)} is no address of a repository: ${problem}`);
  if (text === "" || text.length > maxLength || hasOddCharacter(text))
    throw fail("write owner/name, a URL or an absolute path");
  if (text.startsWith("-")) throw fail("it must not begin with a dash");
  if (isAbsolute(text)) return toAddress(text, "file");
  if (shortForm.test(text) && !/(?:^|\/)\.{1,2}(?:\/|$)/.test(text)) {
    return toAddress(`https://github.com/${text.replace(/\.git$/, "")}.git`, "https");
  }
  if (copyForm.test(text)) return toAddress(text, "ssh");
  if (!text.includes("://") || !URL.canParse(text))
    throw fail("write owner/name, https://…, ssh://…, git@host:path or an absolute path");
  const { protocol, password, hostname } = new URL(text);
  if (password !== "")
    throw fail("a password has no place in it; use git@host:path with a key of SSH");
  switch (protocol) {
    case "https:":
    case "ssh:":
      if (hostname === "" || hostname.startsWith("-")) throw fail("it names no host");
      return toAddress(text, protocol === "ssh:" ? "ssh" : "https");
    case "http:":
    case "git:":
      if (!isLoopbackUrl(text.replace(/^git:/, "http:")))
        throw fail(`${protocol.slice(0, -1)} protects nothing on the way; use https`);
      return toAddress(text, protocol === "git:" ? "git" : "http");
    case "file:":
      return toAddress(text, "file");
    default:
      throw fail("its protocol must be https or ssh");
  }
}

/**
 * A branch, a tag or a whole commit; empty stands for the branch the repository shows first.
 * @throws SourceError for what git would not take as a name, or could take as something else.
 */
export function checkReference(text: string): string {
  const isPossible =
    text.length <= 255 &&
    !/^[-/.]|\.\.|@\{|\/\/|\/\.|\.lock(?:\/|$)|[/.]$|[~^:?*[\\\s]/.test(text) &&
    text !== "@" &&
    !hasOddCharacter(text);
  if (isPossible) return text;
  throw new SourceError(
    "SOURCE_INVALID",
    `${quote(text)} is no name of a branch or tag, and no commit`,
  );
}

export function isCommit(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(text);
}

function toAddress(url: string, protocol: SourceAddress["protocol"]): SourceAddress {
  const parts = url
    .replace(/\/+$/, "")
    .replace(/\.git$/, "")
    .split(/[/:\\]+/)
    .slice(-2)
    .map((part) => part.replaceAll(/[^A-Za-z0-9_.-]/g, "-").replace(/^\.+/, ""))
    .filter((part) => part !== "");
  return { url, protocol, folderName: parts.join("-").slice(0, 120) || "repository" };
}

function hasOddCharacter(text: string): boolean {
  return /[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text);
}

/** For an error: short, on one line, and without what may be a password. */
function quote(text: string): string {
  const shown = text.replaceAll(/\/\/[^/@]*@/g, "//…@").replaceAll(/[\p{Cc}\p{Cf}]/gu, "�");
  return `"${shown.length > 120 ? `${shown.slice(0, 120)}…` : shown}"`;
}
