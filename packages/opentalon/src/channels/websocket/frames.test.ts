import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ChannelError } from "../../base/errors.ts";
import { parseChatFrame } from "../webchat/chat-frames.ts";
import { parseFrame } from "./frames.ts";

/** JSON that often has the members of a frame, with values of any type. */
const frameText = fc.oneof(
  fc.string(),
  fc.json(),
  fc
    .record(
      {
        type: fc.constantFrom("identify", "message", "ack", "resume", "hello", "reaction", 1, null),
        id: fc.anything(),
        conversation_id: fc.oneof(fc.string(), fc.anything()),
        sender_id: fc.oneof(fc.string(), fc.anything()),
        content: fc.oneof(fc.string(), fc.anything()),
        files: fc.anything(),
        metadata: fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.anything()),
        token: fc.anything(),
        last: fc.anything(),
      },
      { requiredKeys: [] },
    )
    // What JSON has no form for becomes nothing.
    .map((frame) =>
      JSON.stringify(frame, (_, value: unknown) => (typeof value === "bigint" ? "" : value)),
    ),
);

describe("frames of strangers", () => {
  it.each([
    ["a WebSocket channel", parseFrame],
    ["a web chat", parseChatFrame],
  ])("are read by %s, or refused in words for their sender", (_, parse) => {
    fc.assert(
      fc.property(frameText, (text) => {
        try {
          expect(parse(text)).toHaveProperty("kind");
        } catch (error) {
          expect(error).toBeInstanceOf(ChannelError);
        }
      }),
    );
  });

  it("have no members but their own", () => {
    const text = '{"type":"identify","__proto__":{"token":"inherited"},"id":"x"}';
    expect(parseFrame(text)).toMatchObject({ kind: "identify", id: "x", token: "" });
  });
});
