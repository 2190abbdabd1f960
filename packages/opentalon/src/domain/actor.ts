import type { InboundMessage } from "./message.ts";

/** On whose behalf something happens: `<channel>:<sender>`. */
export type Actor = string;

export function toActor(message: Pick<InboundMessage, "channel" | "senderId">): Actor {
  return `${message.channel}:${message.senderId}`;
}
