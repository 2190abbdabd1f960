import { describe, expect, it } from "vitest";
import { readModelFlag } from "./read-model-flag.ts";

describe("--model in a message", () => {
  it("is taken from the beginning or the end", () => {
    expect(readModelFlag("--model a/b what is it?")).toEqual({ text: "what is it?", model: "a/b" });
    expect(readModelFlag("what is it? --model=a/b")).toEqual({ text: "what is it?", model: "a/b" });
    expect(readModelFlag("  --model big")).toEqual({ text: "", model: "big" });
  });

  it("is known at the beginning also where a phone made one dash of two", () => {
    expect(readModelFlag("—model big why?")).toEqual({ text: "why?", model: "big" });
    expect(readModelFlag("a —model citizen")).toEqual({ text: "a —model citizen", model: "" });
  });

  it("is text like any other elsewhere", () => {
    for (const text of ["what does --model x do?", "--model", "--models x y", "a--model x", ""])
      expect(readModelFlag(text)).toEqual({ text, model: "" });
  });

  it("is no flag at the end of a sentence or of code about it", () => {
    for (const text of [
      "how do I use --model big?",
      "run `opentalon --model big`",
      "```\nopentalon --model big\n```",
      'it says "--model big"',
      "the usage is [--model name]",
      "you can write --model big.",
    ])
      expect(readModelFlag(text)).toEqual({ text, model: "" });
    expect(readModelFlag("hi --model p/m.v2:free")).toEqual({ text: "hi", model: "p/m.v2:free" });
  });

  it("keeps a long message whole", () => {
    const text = "line\n".repeat(10_000);
    expect(readModelFlag(`${text} --model a/b`)).toEqual({ text, model: "a/b" });
  });
});
