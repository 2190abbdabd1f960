import fc from "fast-check";
import { expect, test } from "vitest";
import { createDocumentDecoder, encodeDocument, maxDocumentBytes } from "./length-prefixed-json.ts";

/** {"method":"capabilities"} */
const capabilitiesFrame = "000000197b226d6574686f64223a226361706162696c6974696573227d";
/** {"call_id":"1","content":"hé"} */
const resultFrame = "0000001f7b2263616c6c5f6964223a2231222c22636f6e74656e74223a2268c3a9227d";

test("a frame is four bytes of length, big-endian, and the document", () => {
  expect(encodeDocument({ method: "capabilities" }).toString("hex")).toBe(capabilitiesFrame);
  expect(encodeDocument({ call_id: "1", content: "hé" }).toString("hex")).toBe(resultFrame);
});

test("a frame is read back", () => {
  expect(createDocumentDecoder().push(Buffer.from(resultFrame, "hex"))).toEqual([
    { call_id: "1", content: "hé" },
  ]);
});

test("frames are read however the stream is cut", () => {
  const cutStream = fc.tuple(
    fc.array(fc.jsonValue({ maxDepth: 2 }), { maxLength: 5 }),
    fc.array(fc.integer({ min: 1, max: 50 })),
  );
  fc.assert(
    fc.property(cutStream, ([documents, cuts]) => {
      const stream = Buffer.concat(documents.map(encodeDocument));
      const decoder = createDocumentDecoder();
      const read: unknown[] = [];
      let offset = 0;
      for (const cut of [...cuts, stream.length]) {
        read.push(...decoder.push(stream.subarray(offset, offset + cut)));
        offset += cut;
      }
      expect(read).toEqual(
        documents.map((document) => JSON.parse(JSON.stringify(document)) as unknown),
      );
      expect(decoder.pending()).toBe(0);
    }),
  );
});

test("invalid UTF-8 is replaced, not refused", () => {
  const frame = Buffer.concat([
    Buffer.from("000000127b22636f6e74656e74223a2261", "hex"),
    Buffer.from([0xff, 0xc3]),
    Buffer.from('b"}'),
  ]);
  frame.writeUInt32BE(frame.length - 4, 0);
  expect(createDocumentDecoder().push(frame)).toEqual([{ content: "a��b" }]);
});

test("a length over 4 MiB is refused before anything is kept", () => {
  const decoder = createDocumentDecoder();
  expect(() => decoder.push(Buffer.from("00400001", "hex"))).toThrow("4194305 bytes");
  // The preface of HTTP/2 reads as a length of 1.3 GB.
  expect(() =>
    createDocumentDecoder().push(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
  ).toThrow("1347569952 bytes");
});

test("a length of exactly 4 MiB is taken", () => {
  const text = "a".repeat(maxDocumentBytes - 2);
  const documents = createDocumentDecoder().push(encodeDocument(text));
  expect(documents).toHaveLength(1);
  expect((documents[0] as string).length).toBe(maxDocumentBytes - 2);
});

test("a trickle of single bytes is put together", () => {
  const decoder = createDocumentDecoder();
  const frame = encodeDocument("a".repeat(100_000));
  for (const byte of frame.subarray(0, -1)) expect(decoder.push(Uint8Array.of(byte))).toEqual([]);
  expect(decoder.pending()).toBe(frame.length - 1);
  expect(decoder.push(frame.subarray(-1))).toHaveLength(1);
});

test("a document that is not JSON is refused", () => {
  expect(() => createDocumentDecoder().push(Buffer.from("00000002" + "7b7b", "hex"))).toThrow(
    SyntaxError,
  );
  expect(() => createDocumentDecoder().push(Buffer.from("00000000", "hex"))).toThrow(SyntaxError);
});

test("a document over 4 MiB is not sent", () => {
  expect(() => encodeDocument("a".repeat(maxDocumentBytes))).toThrow("4194306 bytes");
});
