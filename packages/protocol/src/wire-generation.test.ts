import { expect, test } from "vitest";
import { isHttp2Start } from "./wire-generation.ts";
import { encodeDocument } from "./length-prefixed-json.ts";

const fromHex = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");

test.each([
  ["SETTINGS with a frame size", "00 00 06 04 00 00 00 00 00 00 05 00 00 40 00"],
  ["empty SETTINGS", "00 00 00 04 00 00 00 00 00"],
  ["SETTINGS with three entries", "00 00 12 04 00 00 00 00 00 00 03"],
  ["GOAWAY", "00 00 08 07 00 00 00 00 00 00 00 00 00 00 00 00 01"],
])("%s is HTTP/2", (_name, hex) => {
  expect(isHttp2Start(fromHex(hex))).toBe(true);
});

test.each([
  ["nothing", ""],
  ["half a frame header", "00 00 06 04 00"],
  ["SETTINGS of impossible length", "00 00 05 04 00 00 00 00 00"],
  ["SETTINGS of a stream", "00 00 06 04 00 00 00 00 01"],
  ["DATA", "00 00 06 00 00 00 00 00 00"],
  ["HTTP/1.1", "48 54 54 50 2f 31 2e 31 20 34 30 30"],
])("%s is not HTTP/2", (_name, hex) => {
  expect(isHttp2Start(fromHex(hex))).toBe(false);
});

test("a JSON document whose length has the bytes of a SETTINGS frame is not HTTP/2", () => {
  const frame = encodeDocument({ content: "x".repeat(0x604 - '{"content":""}'.length) });
  expect(frame.subarray(0, 4).toString("hex")).toBe("00000604");
  expect(isHttp2Start(frame)).toBe(false);
});
