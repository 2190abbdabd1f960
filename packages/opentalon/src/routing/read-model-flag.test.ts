import { describe, expect, it } from "vitest";
import { readModelFlag } from "./read-model-flag.ts";

describe("--model in a message", () => {
  it("is taken from the beginning or the end", () => {
    expect(readModelFlag("--model a/b what is it?")).toEqual({ text: "what is it?", model: "a/b" });
    expect(readModelFlag("what is it? --model=a/b")).toEqual({ text: "what is it?", model: "a/b" });
    expect(readModelFlag("  --model big")).toEqual({ text: "", model: "big" });
  });

  it("is text like any other elsewhere", () => {
    for (const text of ["what does --model x do?", "--model", "--models x y", "a--model x", ""])
      expect(readModelFlag(text)).toEqual({ text, model: "" });
  });

  it("keeps a long message whole", () => {
    const text = "line\n".repeat(10_000);
    expect(readModelFlag(`${text} --model a/b`)).toEqual({ text, model: "a/b" });
  });
});
