import { describe, expect, it } from "vitest";
import { parsePlainJson } from "./plain-json.ts";

describe("JSON of others", () => {
  it("is read as it is", () =>
    expect(parsePlainJson('{"a":[1,null,true,"é"],"__proto__":1}')).toEqual(
      JSON.parse('{"a":[1,null,true,"é"],"__proto__":1}'),
    ));

  it("has its half characters replaced, in names too", () =>
    expect(parsePlainJson('{"a\\ud800":"\\udc00b"}')).toEqual({ "a\ufffd": "\ufffdb" }));

  it("is refused when it is nested beyond all sense", () => {
    const nest = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    expect(() => parsePlainJson(nest(100))).not.toThrow();
    expect(() => parsePlainJson(nest(101))).toThrow(RangeError);
    expect(() => parsePlainJson(nest(5_000))).toThrow(RangeError);
  });
});
