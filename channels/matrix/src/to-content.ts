import type { ChannelFile } from "@opentalon/plugin-sdk";
import type { JsonObject } from "./read-json.ts";
import { toHtml } from "./to-html.ts";

/** Notices are the words of programs: most devices make no sound for them, and other programs leave them alone. */
export type MessageKind = "m.text" | "m.notice";

/** Where a message stands in its room. */
export interface MessagePlace {
  /** Root of the thread; empty outside threads. */
  readonly threadId: string;
  /** The event that is answered, where that is shown; else empty. */
  readonly replyTo: string;
  /** Whom the answer is for, where they are to be called; else empty. */
  readonly mentioned: string;
}

/** Longest text of one message. Whatever its characters, an event of it stays below what homeservers take. */
export const maxTextLength = 16_000;

/**
 * Says that a program wrote it. Programs that know this do not answer each other for ever.
 */
export const ownMark = "org.opentalon.bot";

/** Homeservers take events of 65,536 bytes; what they add to the content needs some of it. */
const maxContentBytes = 56_000;
const maxFallbackLength = 500;

export interface TextOptions {
  readonly kind: MessageKind;
  readonly place: MessagePlace;
  /** Further members, few and short. */
  readonly marks: JsonObject;
}

/** A text, which may be Markdown, as the content of a message. */
export function toTextContent(text: string, { kind, place, marks }: TextOptions): JsonObject {
  const rest = {
    ...toRelation(place),
    "m.mentions": toMentions(place.mentioned),
    [ownMark]: true,
    ...marks,
  };
  return fitting(text, kind, (body) => ({ ...body, ...rest }));
}

/** The content that puts another text into the place of an earlier message. */
export function toEditContent(
  text: string,
  eventId: string,
  { kind, place, marks }: TextOptions,
): JsonObject {
  const mentions = toMentions(place.mentioned);
  return fitting(text, kind, (body) => ({
    // For clients that do not know edits, which are few.
    msgtype: kind,
    body: `* ${cut(text, maxFallbackLength)}`,
    "m.new_content": { ...body, "m.mentions": mentions, [ownMark]: true, ...marks },
    "m.relates_to": { rel_type: "m.replace", event_id: eventId },
    // An edit calls nobody a second time, though what it leaves behind says whom it is for.
    "m.mentions": {},
    [ownMark]: true,
  }));
}

/** The content of a message that is a file, which lies at `url`. */
export function toFileContent(
  { name, mimeType, data }: ChannelFile,
  url: string,
  place: MessagePlace,
): JsonObject {
  const body = name === "" ? "file" : cut(name, 255);
  return {
    msgtype: toFileKind(mimeType),
    body,
    filename: body,
    url,
    info: { mimetype: mimeType, size: data.byteLength },
    ...toRelation(place),
    "m.mentions": {},
    [ownMark]: true,
  };
}

/** The content with the formatted text where that is small enough; without it, it always is, see `maxTextLength`. */
function fitting(
  text: string,
  kind: string,
  complete: (body: JsonObject) => JsonObject,
): JsonObject {
  const plain = { msgtype: kind, body: clean(text) };
  const html = toHtml(text);
  if (html === undefined) return complete(plain);
  const formatted = { format: "org.matrix.custom.html", formatted_body: clean(html) };
  const content = complete({ ...plain, ...formatted });
  const isSmall = Buffer.byteLength(JSON.stringify(content)) <= maxContentBytes;
  return isSmall ? content : complete(plain);
}

/** Always there: without it, homeservers look for names in the text. */
function toMentions(mentioned: string): JsonObject {
  return mentioned === "" ? {} : { user_ids: [mentioned] };
}

function toRelation({ threadId, replyTo }: MessagePlace): JsonObject {
  if (threadId === "") {
    if (replyTo === "") return {};
    return { "m.relates_to": { "m.in_reply_to": { event_id: replyTo } } };
  }
  return {
    "m.relates_to": {
      rel_type: "m.thread",
      event_id: threadId,
      // Clients that know no threads show it as a reply.
      is_falling_back: true,
      "m.in_reply_to": { event_id: replyTo === "" ? threadId : replyTo },
    },
  };
}

function toFileKind(mimeType: string): string {
  const [kind] = mimeType.split("/");
  if (kind === "image" || kind === "audio" || kind === "video") return `m.${kind}`;
  return "m.file";
}

/** Control characters, which nobody sees, take six bytes each. */
function clean(text: string): string {
  return text.replaceAll(/[\0-\x08\v\f\x0e-\x1f]/g, "").toWellFormed();
}

function cut(text: string, maxLength: number): string {
  const cleaned = clean(text);
  return cleaned.length <= maxLength
    ? cleaned
    : `${cleaned.slice(0, maxLength - 1).toWellFormed()}…`;
}
