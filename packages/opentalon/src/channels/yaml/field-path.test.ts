import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findField, findFields, toText } from "./field-path.ts";

const event = {
  "a.b": "exact",
  a: { b: "dotted", list: [{ id: 1 }, { id: 2 }, { id: 3 }] },
  entry: [
    { value: { of: 1, items: [{ n: 1 }, { n: 2 }] } },
    { value: { of: 2, items: [{ n: 3 }] } },
    {},
  ],
};

describe("a path into an event", () => {
  it("means a member of that name first, then members of members", () => {
    expect(findField(event, "a.b")).toBe("exact");
    expect(findField({ a: { b: "dotted" } }, "a.b")).toBe("dotted");
    expect(findField(event, "a.list.1.id")).toBe(2);
    expect(findField(event, "a.list.-1.id")).toBe(3);
    expect(findField(event, "a.list.7.id")).toBeUndefined();
    expect(findField(event, "")).toBe(event);
  });

  it("finds nothing that is not in the data", () => {
    for (const path of [
      "constructor",
      "a.__proto__.x",
      "a.list.length",
      "toString",
      "a.b.length",
    ]) {
      expect(findField({ a: { list: [] } }, path)).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, path) => {
        expect(typeof findField(value, path)).not.toBe("function");
      }),
    );
  });

  it("fans out over lists, each value with what holds its list, and no more than asked for", () => {
    const path = "entry.*.value.items.*";
    expect(
      findFields(event, path, 10).map(({ value, parent }) => [value, findField(parent, "of")]),
    ).toEqual([
      [{ n: 1 }, 1],
      [{ n: 2 }, 1],
      [{ n: 3 }, 2],
    ]);
    expect(findFields(event, path, 2).length).toBe(2);
    expect(findFields(event, "missing", 2)).toEqual([]);
  });
});

describe("a value as text", () => {
  it.each([
    [1e21, "1000000000000000000000"],
    [0.5, "0.5"],
    [-3, "-3"],
    [true, "true"],
    [null, ""],
    [undefined, ""],
    [{ a: [1] }, '{"a":[1]}'],
  ])("%j is %s", (value, text) => {
    expect(toText(value)).toBe(text);
  });
});
