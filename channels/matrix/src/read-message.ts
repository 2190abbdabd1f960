import { member, toText } from "./read-json.ts";
import { readRelation } from "./relations.ts";

/** Kinds of messages that carry a file. */
const fileKinds = new Set(["m.image", "m.file", "m.audio", "m.video"]);

export interface ReadMessage {
  /** Empty for a file without words. */
  readonly text: string;
  readonly hasFile: boolean;
  readonly isEmote: boolean;
}

/** What a person said with a message; `undefined` for what is not for us to read. */
export function readMessage(content: unknown): ReadMessage | undefined {
  const kind = toText(member(content, "msgtype"));
  const isEdit = readRelation(content).kind === "m.replace";
  if (isEdit) return undefined;
  if (kind === "m.text" || kind === "m.emote") {
    return { text: readBody(content), hasFile: false, isEmote: kind === "m.emote" };
  }
  if (fileKinds.has(kind)) {
    const body = toText(member(content, "body"));
    const name = toText(member(content, "filename"));
    // Without `filename`, `body` is the name of the file.
    const text = name === "" || name === body ? "" : readBody(content);
    return { text, hasFile: true, isEmote: false };
  }
  if (kind === "m.location") {
    const place = toText(member(content, "geo_uri"));
    return { text: `${readBody(content)} ${place}`.trim(), hasFile: false, isEmote: false };
  }
  // Notices are the words of programs, which by the rules of Matrix are never answered.
  return undefined;
}

/** The text; older clients put what it answers before it, in quotes. */
function readBody(content: unknown): string {
  const body = toText(member(content, "body"));
  if (readRelation(content).replyTo === "" || !body.startsWith("> ")) return body;
  const isQuoted = toText(member(content, "formatted_body")).startsWith("<mx-reply>");
  if (!isQuoted && !/^> (?:\* )?<@[^>\n]+>/.test(body)) return body;
  return body.replace(/^(?:>[^\n]*\n?)+\n?/, "");
}
