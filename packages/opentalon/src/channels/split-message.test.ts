import { expect, test } from "vitest";
import type { OutboundMessage } from "../domain/message.ts";
import { splitMessage } from "./split-message.ts";

const message: OutboundMessage = {
  channel: "c",
  conversationId: "room",
  threadId: "t",
  content: "first part\n\nsecond part",
  files: [{ name: "f", mimeType: "text/plain", data: Uint8Array.of(1) }],
  metadata: { in_reply_to: "1", type: "confirmation", options: "approve,reject" },
};

test("a reply that fits is one message, as it is", () => {
  expect(splitMessage(message, 0)).toEqual([message]);
  expect(splitMessage(message, 100)).toEqual([message]);
  const blank = { ...message, content: "" };
  expect(splitMessage(blank, 10)).toEqual([blank]);
});

test("files and buttons come with the last message, and each says where it belongs", () => {
  expect(splitMessage(message, 15)).toEqual([
    { ...message, content: "first part", files: [], metadata: { in_reply_to: "1" } },
    { ...message, content: "second part" },
  ]);
});

test("a reply of blanks alone stays a message", () => {
  const blank = { ...message, content: " ".repeat(50) };
  expect(splitMessage(blank, 10)).toHaveLength(1);
});
