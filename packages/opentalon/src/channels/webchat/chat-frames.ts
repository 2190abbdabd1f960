import { ChannelError } from "../../base/errors.ts";
import type { FileAttachment } from "../../domain/message.ts";
import { parseInboundDocument } from "../message-document.ts";

/** What the page sends. */
export type ChatFrame =
  /** The first one: who it is and what it has. */
  | {
      readonly kind: "hello";
      readonly token: string;
      readonly session: string;
      /** `seq` of the newest entry it has; 0 when it has none. */
      readonly last: number;
    }
  | {
      readonly kind: "message";
      readonly id: string;
      readonly content: string;
      readonly files: readonly FileAttachment[];
    }
  | {
      readonly kind: "reaction";
      readonly id: string;
      readonly reaction: string;
      /** The reply it is about. */
      readonly to: string;
    }
  | {
      readonly kind: "confirmation";
      readonly id: string;
      readonly choice: "approve" | "reject";
      readonly toolCallId: string;
    };

const maxFileBytes = 8 * 1024 * 1024;
const maxNameLength = 512;

/** @throws ChannelError CHANNEL_REFUSED, in words for the person. */
export function parseChatFrame(text: string): ChatFrame {
  const members = readMembers(text);
  const id = readName(members, "id");
  switch (members["type"]) {
    case "hello": {
      const last = members["last"];
      return {
        kind: "hello",
        token: readName(members, "token"),
        session: readName(members, "session"),
        last: Number.isSafeInteger(last) ? (last as number) : 0,
      };
    }
    case "message":
      return { kind: "message", id: requireId(id), ...readContent(members) };
    case "reaction":
      return {
        kind: "reaction",
        id: requireId(id),
        reaction: readName(members, "reaction"),
        to: readName(members, "to"),
      };
    case "confirmation":
      return {
        kind: "confirmation",
        id: requireId(id),
        choice: members["choice"] === "approve" ? "approve" : "reject",
        toolCallId: readName(members, "tool_call_id"),
      };
    default:
      throw refuse("there is no such frame");
  }
}

function readMembers(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refuse("the frame is not JSON");
  }
  if (typeof value !== "object" || value === null) throw refuse("a frame must be a JSON object");
  return value as Readonly<Record<string, unknown>>;
}

function readName(members: Readonly<Record<string, unknown>>, name: string): string {
  const value = Object.hasOwn(members, name) ? members[name] : undefined;
  return typeof value === "string" && value.length <= maxNameLength ? value.toWellFormed() : "";
}

function requireId(id: string): string {
  if (/^[\w-]{8,64}$/.test(id)) return id;
  throw refuse("`id` must be 8 to 64 letters, digits, - and _");
}

/** Read as any other message is; who said it is known already. */
function readContent(members: Readonly<Record<string, unknown>>): {
  readonly content: string;
  readonly files: readonly FileAttachment[];
} {
  const { content, files } = parseInboundDocument({
    conversation_id: "-",
    sender_id: "-",
    content: members["content"],
    files: members["files"],
  });
  const bytes = files.reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes > maxFileBytes) throw refuse("files may have 8 MiB together");
  return { content, files };
}

function refuse(message: string): ChannelError {
  return new ChannelError("CHANNEL_REFUSED", message);
}
