import { describe, expect, it } from "vitest";
import { parseScriptVerdict } from "./parse-script-verdict.ts";

const given = { content: "hello", metadata: { a: "b" } };
const invoke = { plugin: "p", action: "a", args: { k: "v", n: 1 } };
const steps = [{ plugin: "p", action: "a", arguments: { k: "v" } }];

describe("what a script returns", () => {
  it.each([
    [{}, { kind: "continue", content: "hello", metadata: { a: "b" } }],
    [{ message: "" }, { kind: "continue", content: "", metadata: { a: "b" } }],
    [
      { message: "x", metadata: { c: 1, d: {}, e: true } },
      { kind: "continue", content: "x", metadata: { c: "1", e: "true" } },
    ],
    [{ message: 5 }, { kind: "continue", content: "5", metadata: { a: "b" } }],
    [
      { send_to_llm: true, message: "x" },
      { kind: "continue", content: "x", metadata: { a: "b" } },
    ],
    [
      { send_to_llm: false, message: "no" },
      { kind: "refuse", message: "no" },
    ],
    [
      { drop: true, reason: "because" },
      { kind: "refuse", message: "because" },
    ],
    [
      { send_to_llm: false, invoke },
      { kind: "invoke", steps },
    ],
    [
      { send_to_llm: false, invoke: [invoke, {}] },
      { kind: "invoke", steps },
    ],
    [
      { message: "x", invoke },
      { kind: "continue", content: "x", metadata: { a: "b" } },
    ],
  ])("%j before the model", (value, verdict) => {
    expect(parseScriptVerdict(value, "before", given)).toEqual(verdict);
  });

  it("refuses with words of its own when the script gives none", () => {
    for (const value of [{ drop: true }, { send_to_llm: false }, { drop: true, reason: "" }])
      expect(parseScriptVerdict(value, "before", given)).toMatchObject({
        kind: "refuse",
        message: expect.stringContaining("blocked by a rule") as string,
      });
  });

  it("starts actions after the model without more ado", () => {
    expect(parseScriptVerdict({ invoke }, "after", given)).toEqual({ kind: "invoke", steps });
  });

  it.each([null, "text", 5, [], { message: {} }, { drop: true, reason: [] }])(
    "is refused: %j",
    (value) => {
      expect(() => parseScriptVerdict(value, "before", given)).toThrow(RangeError);
    },
  );
});
