import { member, toList, toText } from "./read-json.ts";
import { toLocalPart } from "./rooms.ts";

/** Who we are, as people write it. */
export interface OwnName {
  readonly userId: string;
  /** Empty when there is none. */
  readonly displayName: string;
}

/** Whether a message speaks to us, and what it says without our name. */
export interface Mentions {
  readonly isMentioned: (content: unknown) => boolean;
  /** The text without our name where that only says whom it is for. */
  readonly withoutName: (text: string) => string;
}

/**
 * Clients say whom they mention since version 1.7 of the specification (`m.mentions`). Where they do, a name counts only with
 * an @, or as an address, at the beginning and before a colon or comma; where they do not, it counts wherever it stands.
 */
export function createMentions({ userId, displayName }: OwnName): Mentions {
  const localPart = toLocalPart(userId);
  const names = [userId.slice(1), displayName, localPart].filter((name) => name !== "");
  const anyName = names.map(toPattern).join("|");
  // `@talon:` of `@talon:elsewhere.org` is somebody else.
  const end = String.raw`(?![\p{L}\p{N}_-])`;
  const marked = String.raw`(?<![\p{L}\p{N}_.-])@(?:${anyName})${end}(?!:[\p{L}\p{N}])`;
  const plain = String.raw`(?<![\p{L}\p{N}_@.-])(?:${anyName})${end}`;
  const address = new RegExp(String.raw`^\s*(?:${marked}|${plain})\s*[:,]`, "iu");
  const called = new RegExp(marked, "iu");
  const word = new RegExp(`${marked}|${plain}`, "iu");
  const leading = new RegExp(String.raw`^\s*(?:${marked}|${plain})\s*[:,]?\s*`, "iu");
  const trailing = new RegExp(String.raw`,?\s?${marked}(?=[\s.!?]*$)`, "iu");
  const inside = new RegExp(String.raw`\s?${marked}`, "giu");
  const link = toLinkPattern(userId);
  const linked = new RegExp(link, "iu");
  const written = new RegExp(String.raw`\[[^\][\n]{0,300}\]\(<?(?:${link})[^)\s]{0,200}\)`, "giu");

  return {
    isMentioned: (content) => {
      const body = toText(member(content, "body"));
      const html = toText(member(content, "formatted_body"));
      const told = member(content, "m.mentions");
      if (toList(member(told, "user_ids")).includes(userId)) return true;
      if (linked.test(html) || called.test(body)) return true;
      return told === undefined ? word.test(body) : address.test(body);
    },
    withoutName: (text) => {
      const rest = text
        .replaceAll(written, "")
        .replace(leading, "")
        .replace(trailing, "")
        .replaceAll(inside, "")
        .trim();
      // Nothing but our name is still something to be answered.
      return rest === "" ? text.trim() : rest;
    },
  };
}

/** Links to us, as clients write them: `https://matrix.to/#/…` or `matrix:u/…`. */
function toLinkPattern(userId: string): string {
  const ends = String.raw`(?![\p{L}\p{N}_.%-])`;
  const forms = [userId, encodeURIComponent(userId), userId.replace(":", "%3A")].map(toPattern);
  const short = toPattern(userId.slice(1));
  return String.raw`https:\/\/matrix\.to\/#\/(?:${forms.join("|")})${ends}|matrix:u\/${short}${ends}`;
}

function toPattern(text: string): string {
  return RegExp.escape(text);
}
