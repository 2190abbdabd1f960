import { describe, expect, it } from "vitest";
import { readSignal } from "./read-signal.ts";

describe("readSignal", () => {
  it.each([
    ["thumbs_up", "accepted"],
    ["accepted", "accepted"],
    ["thumbs_down", "rejected"],
    ["rejected", "rejected"],
    ["regenerate", "regenerate"],
    ["REGENERATE", "regenerate"],
    ["whatever", undefined],
    ["", undefined],
  ])("reads the word %j of a channel as %s", (signal, expected) =>
    expect(readSignal({ signal })).toBe(expected),
  );

  it.each([
    ["👍", "accepted"],
    ["👍🏽", "accepted"],
    [":+1:", "accepted"],
    ["+1::skin-tone-3", "accepted"],
    ["❤️", "accepted"],
    ["tada", "accepted"],
    ["👎", "rejected"],
    ["-1", "rejected"],
    [":thumbsdown:", "rejected"],
    ["❌", "rejected"],
    ["🔁", "regenerate"],
    ["arrows_counterclockwise", "regenerate"],
    ["eyes", undefined],
    ["👀", undefined],
    ["constructor", undefined],
    ["+1".repeat(1_000), undefined],
  ])("reads the reaction %j as %s", (reaction, expected) =>
    expect(readSignal({ reaction })).toBe(expected),
  );

  it("takes the word of the channel before a reaction", () =>
    expect(readSignal({ signal: "regenerate", reaction: "👍" })).toBe("regenerate"));

  it("hears nothing in other metadata", () => expect(readSignal({ text: "👎" })).toBeUndefined());
});
