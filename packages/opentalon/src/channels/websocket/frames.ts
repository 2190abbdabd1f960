/**
 * What travels over a WebSocket channel: JSON objects told apart by `type`; one without it is a message.
 */
import { ChannelError } from "../../base/errors.ts";
import { type InboundDocument, parseInboundDocument } from "../message-document.ts";

/** The first frame of whoever dials: who it is, and what it knows beyond messages. */
export interface IdentifyFrame {
  readonly kind: "identify";
  /** Instance name of the channel. */
  readonly id: string;
  readonly token: string;
  /** It acknowledges each message, and knows one it is sent twice by its `delivery_id`. */
  readonly acks: boolean;
  /** It wants to see answers grow. */
  readonly live: boolean;
  /** Newest delivery it has; empty when it has none. */
  readonly last: string;
}

export type PeerFrame =
  | IdentifyFrame
  | { readonly kind: "message"; readonly document: InboundDocument }
  | { readonly kind: "ack"; readonly id: string }
  | { readonly kind: "resume"; readonly last: string }
  /** One we do not know, for which there may be peers that are newer than we are. */
  | { readonly kind: "other" };

/** @throws ChannelError CHANNEL_REFUSED, in words for the sender, with the frame's `id` as far as it has one. */
export function parseFrame(text: string): PeerFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FrameError("the frame is not JSON", "");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FrameError("a frame must be a JSON object", "");
  }
  const members = value as Readonly<Record<string, unknown>>;
  switch (members["type"] ?? "message") {
    case "identify":
      return {
        kind: "identify",
        id: readText(members, "id"),
        token: readText(members, "token"),
        acks: members["acks"] === true,
        live: members["live"] === true,
        last: readText(members, "last"),
      };
    case "message":
      return { kind: "message", document: parseMessage(members) };
    case "ack":
      return { kind: "ack", id: readText(members, "id") };
    case "resume":
      return { kind: "resume", last: readText(members, "last") };
    default:
      return { kind: "other" };
  }
}

function parseMessage(members: Readonly<Record<string, unknown>>): InboundDocument {
  try {
    return parseInboundDocument(members);
  } catch (error) {
    if (error instanceof ChannelError) throw new FrameError(error.message, readText(members, "id"));
    throw error;
  }
}

/** What is wrong with a frame, with the `id` by which its sender knows it. */
export class FrameError extends ChannelError {
  readonly frameId: string;

  constructor(message: string, frameId: string) {
    super("CHANNEL_REFUSED", message);
    this.frameId = frameId;
  }
}

const maxNameLength = 4_096;

function readText(members: Readonly<Record<string, unknown>>, name: string): string {
  const value = Object.hasOwn(members, name) ? members[name] : undefined;
  return typeof value === "string" && value.length <= maxNameLength ? value : "";
}
