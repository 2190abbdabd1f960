import type { Clock } from "../../base/clock.ts";
import { ChannelError } from "../../base/errors.ts";
import type { MessageSocket } from "../../base/message-socket.ts";
import type { ChannelHost } from "../../domain/channel.ts";
import type { InboundDocument } from "../message-document.ts";
import { toChannelKind } from "../to-channel-kind.ts";
import { FrameError, parseFrame, type PeerFrame } from "./frames.ts";
import { createOrderedWork } from "./ordered-work.ts";

export interface IncomingOptions {
  readonly socket: MessageSocket;
  /** What the channel stands for when a message does not say. */
  readonly channelKind: string;
  /** Absent while the channel takes nothing. */
  readonly host: () => ChannelHost | undefined;
  /** Frames that are not messages. */
  readonly onFrame: (frame: Exclude<PeerFrame, { kind: "message" }>) => void;
  readonly clock: Clock;
}

/**
 * Reads a peer's frames from now on: hands its messages to the host in order within each conversation, and acknowledges each once
 * it is on disk. Whoever sends faster than the disk writes, or does not read the answers, has to wait.
 */
export function readFrames({ socket, channelKind, host, onFrame, clock }: IncomingOptions): void {
  const { add, answer } = createOrderedWork(socket);

  const take = async (document: InboundDocument): Promise<void> => {
    const id = document.id === "" ? (document.metadata["message_id"] ?? "") : document.id;
    if (id === "") {
      answer({
        type: "error",
        id,
        error: "the message needs an identity: `id` or `metadata.message_id`",
      });
      return;
    }
    const to = host();
    if (to === undefined) {
      const error = "the channel takes no messages right now";
      answer({ type: "error", id, error, retry_after_ms: 5_000 });
      return;
    }
    const { conversationId, threadId, senderId, senderName, content, files, metadata } = document;
    const outcome = await to.accept({
      channelKind: toChannelKind(document.kind, channelKind),
      platformMessageId: id,
      conversationId,
      threadId,
      senderId,
      senderName,
      content,
      files,
      metadata,
      sentAtMs: document.sentAtMs ?? clock.now(),
    });
    switch (outcome.kind) {
      case "accepted":
        return answer({ type: "ack", id });
      case "duplicate":
        return answer({ type: "ack", id, duplicate: true });
      case "refused": {
        // Without a time to come back the refusal is about the message, not about us.
        const retry = outcome.retryAfterMs > 0 ? { retry_after_ms: outcome.retryAfterMs } : {};
        return answer({ type: "error", id, error: outcome.reason, ...retry });
      }
    }
  };

  socket.onMessage((text) => {
    let frame: PeerFrame;
    try {
      frame = parseFrame(text);
    } catch (error) {
      if (!(error instanceof ChannelError)) throw error;
      const id = error instanceof FrameError ? error.frameId : "";
      answer({ type: "error", id, error: error.message });
      return;
    }
    if (frame.kind !== "message") {
      onFrame(frame);
      return;
    }
    const { document } = frame;
    const conversation = JSON.stringify([document.conversationId, document.threadId]);
    add(conversation, text.length, () => take(document));
  });
}
