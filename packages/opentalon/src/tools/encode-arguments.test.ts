import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeArguments, encodeValue } from "./encode-arguments.ts";

describe("encoding arguments", () => {
  it("writes every value as text", () => {
    expect(
      encodeArguments(
        {
          text: "x\ud800",
          whole: 3,
          yes: true,
          list: [1, "a", null],
          object: { a: { b: 1.5 } },
          empty: "",
          none: null,
        },
        "native",
      ),
    ).toEqual({
      text: "x\ufffd",
      whole: "3",
      yes: "true",
      list: '[1,"a",null]',
      object: '{"a":{"b":1.5}}',
      empty: "",
    });
  });

  it("keeps zero and false for native calls and leaves them out for calls in text", () => {
    const values = { zero: 0, minus: -0, no: false, big: 0n, text: "0", nested: { zero: 0 } };
    expect(encodeArguments(values, "native")).toEqual({
      zero: "0",
      minus: "0",
      no: "false",
      big: "0",
      text: "0",
      nested: '{"zero":0}',
    });
    expect(encodeArguments(values, "text")).toEqual({ text: "0", nested: '{"zero":0}' });
  });

  it.each([
    [1e21, "1000000000000000000000"],
    [123456789012345680000, "123456789012345680000"],
    [1.5e300, `15${"0".repeat(299)}`],
    [1e-7, "0.0000001"],
    [-1.25e-9, "-0.00000000125"],
    [0.1, "0.1"],
    [-42, "-42"],
    [9007199254740993n, "9007199254740993"],
    [5e-324, `0.${"0".repeat(323)}5`],
  ])("writes %s in plain decimal", (value, text) => {
    expect(encodeValue(value)).toBe(text);
  });

  it("keeps large integers inside objects", () => {
    expect(encodeValue({ id: 9007199254740993n })).toBe('{"id":9007199254740993}');
  });

  it("loses no number", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = encodeValue(value) ?? "";
        expect(text).toMatch(/^-?\d+(\.\d+)?$/);
        expect(Number(text)).toBe(value === 0 ? 0 : value);
      }),
    );
    expect(encodeValue(Number.NaN)).toBeUndefined();
  });

  it("takes any name, also those objects have a meaning for", () => {
    const values = JSON.parse('{"__proto__":"a","constructor":"b"}') as Record<string, unknown>;
    const encoded = encodeArguments(values, "native");
    expect(Object.entries(encoded)).toEqual([
      ["__proto__", "a"],
      ["constructor", "b"],
    ]);
  });
});
