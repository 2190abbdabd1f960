import { describe, expect, it } from "vitest";
import { createRequest } from "../model-adapter.contract.ts";
import { toToolCalls, toValidArguments } from "./to-tool-calls.ts";

const read = (text: string, id = "id") =>
  toToolCalls([{ id, name: "a", arguments: text }], createRequest())[0];

describe("a tool call of a model", () => {
  it("has no arguments that are nested without end", () => {
    const depth = 5_000;
    const text = `${'{"0":'.repeat(depth)}1${"}".repeat(depth)}`;
    const call = read(text);
    expect(call).toMatchObject({ arguments: {}, invalidArguments: text });
    expect(read('{"a":[{"b":[{"c":1}]}]}')?.arguments).toEqual({ a: [{ b: [{ c: 1 }] }] });
  });

  it("has only characters that the next request can carry", () => {
    const call = read(String.raw`{"sm\ud83d":["half \ud83d", "\ud83d\ude00", 1, null, true]}`);
    expect(call?.arguments).toEqual({ "sm\ufffd": ["half \ufffd", "😀", 1, null, true] });
    const invalid = read('no JSON "\ud83d"');
    expect(invalid === undefined ? {} : toValidArguments(invalid)).toEqual({
      invalid_arguments: 'no JSON "\ufffd"',
    });
  });

  it.each(["", "two words", "line\n", "\ud83d", "é", "x".repeat(41)])(
    "gets an identifier of ours in place of %j",
    (id) => expect(read("{}", id)?.id).toBe("call-1"),
  );

  it.each(["call_1", "functions.greet:0"])("keeps the identifier %j", (id) =>
    expect(read("{}", id)?.id).toBe(id),
  );
});
