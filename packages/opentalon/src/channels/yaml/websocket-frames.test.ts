import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createFrameReader,
  encodeFrame,
  opcodes,
  type WebSocketEvent,
} from "./websocket-frames.ts";

describe("frames", () => {
  it("come out as they went in, however the bytes are cut", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(125, 126, 65_535, 65_536).map((length) => "x".repeat(length)),
    );
    fc.assert(
      fc.property(
        fc.array(text, { maxLength: 5 }),
        fc.integer({ min: 1, max: 70_000 }),
        fc.boolean(),
        (texts, size, isMasked) => {
          const bytes = Buffer.concat(
            texts.map((each) => encodeFrame(opcodes.text, Buffer.from(each), isMasked)),
          );
          const reader = createFrameReader(1_000_000, isMasked);
          const events: WebSocketEvent[] = [];
          const step = Math.max(size, Math.ceil(bytes.length / 500));
          for (let at = 0; at < bytes.length; at += step)
            events.push(...reader.push(bytes.subarray(at, at + step)));
          expect(events).toEqual(texts.map((each) => ({ kind: "text", text: each })));
        },
      ),
    );
  });

  it("that are none end in an error or nothing, never in anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          createFrameReader(1_000, false).push(Buffer.from(bytes));
        } catch (error) {
          expect((error as { code?: number }).code).toBeOneOf([1002, 1007, 1009]);
        }
      }),
    );
  });

  it("of one message are bounded together", () => {
    const reader = createFrameReader(100, false);
    const piece = encodeFrame(opcodes.continuation, Buffer.alloc(60), false);
    piece[0] = opcodes.continuation;
    const first = encodeFrame(opcodes.text, Buffer.alloc(60, "a"), false);
    first[0] = opcodes.text;
    reader.push(first);
    expect(() => reader.push(piece)).toThrow(/larger than 100 bytes/);
  });
});
