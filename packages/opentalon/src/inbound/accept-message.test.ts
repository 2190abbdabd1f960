import { describe, expect, it } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import type { FileAttachment, InboundMessage } from "../domain/message.ts";
import { createAcceptMessage } from "./accept-message.ts";

const message: InboundMessage = {
  channel: "web",
  channelKind: "webhook",
  platformMessageId: "1",
  conversationId: "room",
  threadId: "",
  senderId: "ann",
  senderName: "",
  content: "",
  files: [],
  metadata: {},
  sentAtMs: 0,
};

describe("a message with files", () => {
  const stored: InboundMessage[] = [];
  const accept = createAcceptMessage({
    inbox: {
      accept: async (taken, sessionKey) => {
        stored.push(taken);
        return { kind: "accepted", entry: { id: "1", sessionKey, message: taken, attempt: 1 } };
      },
      takeOver: async () => [],
      pending: async () => 0,
    },
    onAccepted: () => undefined,
    isStopping: () => false,
    log: createSilentLog(),
  });
  const file = (size: number, name = "a.png"): FileAttachment => {
    return { name, mimeType: "image/png", data: new Uint8Array(size) };
  };

  it("is taken, also without words", async () => {
    const files = [file(3)];
    expect(await accept({ ...message, files })).toEqual({ kind: "accepted" });
    expect(stored.at(-1)).toEqual({ ...message, files });
  });

  it("is refused for good when the files are too many, too large or named endlessly", async () => {
    const mebibytes = 1024 * 1024;
    const cases: readonly [readonly FileAttachment[], RegExp][] = [
      [Array.from({ length: 33 }, () => file(1)), /more than 32 files/],
      [[file(20 * mebibytes), file(12 * mebibytes + 1)], /larger than 33554432 bytes together/],
      [[file(1, "x".repeat(2_000))], /name of a file is longer/],
    ];
    for (const [files, reason] of cases) {
      expect(await accept({ ...message, files })).toEqual({
        kind: "refused",
        reason: expect.stringMatching(reason) as string,
        retryAfterMs: 0,
      });
    }
  });
});
