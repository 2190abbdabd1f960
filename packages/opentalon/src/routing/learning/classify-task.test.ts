import { describe, expect, it } from "vitest";
import { classifyTask } from "./classify-task.ts";

describe("classifyTask", () => {
  it.each([
    ["", 20, "general"],
    ["and now?", 11, "deep_conversation"],
    ["why does this fail?\n```js\nf()\n```", 1, "code"],
    ["  def total(xs):\n    return 0", 1, "code"],
    ["Please translate this to French: good morning", 1, "transform"],
    ["Bitte fasse den Text zusammen und übersetze ihn", 1, "transform"],
    ["把这句话翻译成英文", 1, "transform"],
    ["x ".repeat(300), 1, "analysis"],
    ["how are you?", 1, "chat"],
    ["line one\nline two", 1, "general"],
    ["word ".repeat(30), 1, "general"],
  ])("sorts %j at depth %i as %s", (text, depth, task) =>
    expect(classifyTask(text, depth)).toBe(task),
  );
});
