import { expect, it } from "vitest";
import { channelMessages as messages } from "@opentalon/protocol";
import { toBinary } from "@bufbuild/protobuf";
import { toInboundMessage } from "./channel-messages.ts";
import { fitMessage } from "./fit-message.ts";

const limitBytes = 100_000;
const message = { conversationId: "c", senderId: "me", content: "hello", messageId: "m1" };
const toFile = (bytes: number) => ({
  name: "a.bin",
  mimeType: "application/x-test",
  data: Buffer.alloc(bytes),
});

it("leaves out files that do not fit, and says so", () => {
  const files = [toFile(50_000), toFile(50_000), toFile(10_000), toFile(90_000)];
  const fitting = fitMessage({ ...message, files }, limitBytes);
  expect(fitting).toEqual({
    ...message,
    files: [files[0], files[2]],
    content: "hello\n\n[2 files were left out: too large for one message]",
  });
  const wire = toBinary(messages.InboundMessageSchema, toInboundMessage(fitting, "test", "r1"));
  expect(wire.byteLength).toBeLessThan(limitBytes);
  expect(
    fitMessage({ ...message, content: "", files: [toFile(90_000)] }, limitBytes),
  ).toMatchObject({
    content: "[a file was left out: too large for one message]",
    files: [],
  });
});

it("takes what fits as it is, and no text that never fits", () => {
  const small = { ...message, files: [toFile(80_000)] };
  expect(fitMessage(small, limitBytes)).toBe(small);
  expect(() => fitMessage({ ...message, content: "ä".repeat(50_000) }, limitBytes)).toThrow(
    /a message has 100005 bytes without its files, and one may have 100000/,
  );
});
