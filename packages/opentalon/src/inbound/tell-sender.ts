import type { Log } from "../base/log.ts";
import type { InboundMessage, OutboundMessage } from "../domain/message.ts";

/**
 * Says something to a sender beside all turns: not kept, tried once.
 * @returns whether the platform may have it. Never rejects.
 */
export type Tell = (
  to: Pick<InboundMessage, "channel" | "conversationId" | "threadId"> &
    Partial<Pick<InboundMessage, "platformMessageId">>,
  content: string,
  metadata: Readonly<Record<string, string>>,
) => Promise<boolean>;

export interface TellOptions {
  /** Hands the message to its channel; false when the platform certainly does not have it. Never rejects. */
  readonly send: (message: OutboundMessage, deliveryId: string) => Promise<boolean>;
  readonly createId: () => string;
  readonly log: Log;
}

/** Notices under way at once; what is more is dropped, so that strangers cannot fill the memory. */
const maxUnderWay = 64;

export function createTell({ send, createId, log }: TellOptions): Tell {
  let underWay = 0;
  return async ({ channel, conversationId, threadId, platformMessageId }, content, metadata) => {
    if (underWay >= maxUnderWay) {
      log.warn({ channel }, "a notice was not sent: too many are under way");
      return false;
    }
    underWay += 1;
    try {
      const inReplyTo: Readonly<Record<string, string>> =
        platformMessageId === undefined ? {} : { in_reply_to: platformMessageId };
      return await send(
        {
          channel,
          conversationId,
          threadId,
          content,
          files: [],
          metadata: { type: "system", ...metadata, ...inReplyTo },
        },
        `notice-${createId()}`,
      );
    } finally {
      underWay -= 1;
    }
  };
}
