import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeFeatures, encodeFeatures, toQueryFeatures } from "./query-features.ts";

const query = fc.record({
  text: fc.string({ unit: "binary", maxLength: 2_000 }),
  toolCount: fc.nat(),
  depth: fc.nat(),
});

describe("encodeFeatures", () => {
  it("gives back the same features, values as 32-bit floats", () =>
    fc.assert(
      fc.property(query, (each) => {
        const features = toQueryFeatures(each);
        expect(decodeFeatures(encodeFeatures(features))).toEqual({
          ...features,
          values: features.values.map(Math.fround),
        });
      }),
    ));

  it.each([
    [
      "words",
      Array.from({ length: 400 }, (_, at) => String.fromCharCode(97 + (at % 26))).join(" "),
    ],
    [
      "ideographs",
      Array.from({ length: 800 }, (_, at) => String.fromCharCode(0x4e00 + at * 7)).join(""),
    ],
  ])("stays below 2 KB for 800 characters of %s", (_, text) =>
    expect(
      encodeFeatures(toQueryFeatures({ text, toolCount: 3, depth: 5 })).length,
    ).toBeLessThanOrEqual(2_048),
  );

  it("holds none of the words", () => {
    const encoded = encodeFeatures(toQueryFeatures({ text: "my secret", toolCount: 0, depth: 1 }));
    expect(Buffer.from(encoded, "base64url").toString("latin1")).not.toContain("secret");
  });

  it("refuses whatever else it is given", () => {
    const good = encodeFeatures(toQueryFeatures({ text: "hello", toolCount: 0, depth: 1 }));
    for (const text of [
      "",
      "x",
      "{}",
      `${good}!`,
      good.slice(0, -2),
      `B${good.slice(1)}`,
      "A".repeat(9_999),
    ])
      expect(decodeFeatures(text)).toBeUndefined();
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const read = decodeFeatures(text);
        if (read !== undefined) expect(read.values.every(Number.isFinite)).toBe(true);
      }),
    );
  });
});
