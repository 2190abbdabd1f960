import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseInboundDocument, parseJsonDocument, toOutboundDocument } from "./message-document.ts";

const least = { conversation_id: "c", sender_id: "s", content: "hi" };

const parse = (more: object): ReturnType<typeof parseInboundDocument> =>
  parseInboundDocument({ ...least, ...more });

describe("an inbound document", () => {
  it("is read with all its fields", () => {
    const document = parse({
      id: "m1",
      channel_id: "web",
      kind: "slack",
      thread_id: "t",
      sender_name: "Ada",
      files: [{ name: "a.txt", mime_type: "text/plain", data: "aGk=", size: 2 }],
      metadata: { type: "note" },
      timestamp: "2026-01-31T12:00:00.123456789+01:00",
      unknown: [{}],
    });
    expect(document).toEqual({
      id: "m1",
      channelId: "web",
      kind: "slack",
      conversationId: "c",
      threadId: "t",
      senderId: "s",
      senderName: "Ada",
      content: "hi",
      files: [{ name: "a.txt", mimeType: "text/plain", data: Buffer.from("hi") }],
      metadata: { type: "note" },
      sentAtMs: Date.parse("2026-01-31T11:00:00.123Z"),
    });
  });

  it("may leave out, or set to null, what is optional", () => {
    const document = parse({ thread_id: null, files: null, metadata: null, timestamp: "" });
    expect(document).toMatchObject({ id: "", threadId: "", files: [], metadata: {} });
    expect(document.sentAtMs).toBeUndefined();
    expect(parse({ timestamp: "0001-01-01T00:00:00Z" }).sentAtMs).toBeUndefined();
  });

  it.each([
    ["no object", [], /JSON object/],
    ["no conversation", { ...least, conversation_id: "" }, /conversation_id/],
    ["no sender", { ...least, sender_id: null }, /sender_id/],
    ["a number for text", { ...least, content: 5 }, /`content` must be a string/],
    ["nothing to say", { ...least, content: " " }, /empty/],
    ["metadata that is a list", { ...least, metadata: ["x"] }, /metadata/],
    ["metadata values that are no text", { ...least, metadata: { a: 1 } }, /strings/],
    ["files that are no list", { ...least, files: {} }, /array/],
    ["too many files", { ...least, files: Array.from({ length: 33 }, () => ({})) }, /32/],
    ["a file without data", { ...least, files: [{ name: "x" }] }, /files\[0\]\.data/],
    ["a file with broken data", { ...least, files: [{ data: "a$==" }] }, /base64/],
    ["a file of another size", { ...least, files: [{ data: "aGk=", size: 3 }] }, /size/],
    ["a time that is none", { ...least, timestamp: "yesterday" }, /timestamp/],
    ["a time as a number", { ...least, timestamp: 5 }, /timestamp/],
  ])("is refused with words when it has %s", (_name, document, words) => {
    expect(() => parseInboundDocument(document)).toThrow(words);
  });

  it("inherits nothing and changes no prototype", () => {
    const hostile = `{"conversation_id":"c","sender_id":"s","content":"x","__proto__":{"id":"stolen"}}`;
    expect(parseInboundDocument(JSON.parse(hostile)).id).toBe("");
    const metadata = `{"conversation_id":"c","sender_id":"s","content":"x","metadata":{"__proto__":"x"}}`;
    expect(() => parseInboundDocument(JSON.parse(metadata))).toThrow(/__proto__/);
    expect(() => parse({ metadata: { constructor: "x" } })).toThrow(/constructor/);
  });

  it("becomes well-formed text without NUL", () => {
    const document = parse({ content: "a\ud800b\0c", metadata: { k: "\udc00" } });
    expect(document.content).toBe("a\uFFFDb\uFFFDc");
    expect(document.metadata["k"]).toBe("\uFFFD");
  });

  it("is refused in words, or read, whatever it is", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (files, metadata, timestamp) => {
        try {
          parse({ files, metadata, timestamp });
        } catch (error) {
          expect(error).toMatchObject({ code: "CHANNEL_REFUSED" });
        }
      }),
    );
  });

  it("must be JSON in UTF-8", () => {
    expect(parseJsonDocument(Buffer.from('{"a":"ü"}'))).toEqual({ a: "ü" });
    expect(() => parseJsonDocument(Buffer.from("{"))).toThrow(/not JSON/);
    expect(() => parseJsonDocument(Buffer.from([0x22, 0xff, 0x22]))).toThrow(/UTF-8/);
  });
});

describe("an outbound document", () => {
  it("has the field names platforms know, and leaves out what is empty", () => {
    const message = {
      channel: "web",
      conversationId: "c",
      threadId: "",
      content: "hi",
      files: [],
      metadata: {},
    };
    expect(JSON.parse(toOutboundDocument(message))).toEqual({
      conversation_id: "c",
      thread_id: "",
      content: "hi",
    });
    const files = [{ name: "a", mimeType: "text/plain", data: Buffer.from("hi") }];
    expect(
      JSON.parse(toOutboundDocument({ ...message, files, metadata: { a: "b" } })),
    ).toMatchObject({
      files: [{ name: "a", mime_type: "text/plain", data: "aGk=", size: 2 }],
      metadata: { a: "b" },
    });
  });
});
