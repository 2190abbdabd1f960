import { expect, it } from "vitest";
import { toSearchContext } from "./to-search-context.ts";

const user = (content: string) => ({ role: "user", content }) as const;
const assistant = (content: string) => ({ role: "assistant", content, toolCalls: [] }) as const;

it("a search is told the last question and the beginning of the answer to it", () => {
  expect(toSearchContext([])).toBe("");
  expect(toSearchContext([user("old"), assistant("x"), user("weather?"), assistant("rain")])).toBe(
    "weather?\nrain",
  );
  const long = toSearchContext([user("q"), assistant("a".repeat(199) + "😀")]);
  expect(long).toBe(`q\n${"a".repeat(199)}\ufffd`);
  const tool = {
    role: "tool",
    callId: "1",
    tool: "a__b",
    content: "secret",
    isError: false,
  } as const;
  expect(toSearchContext([user("q"), assistant(""), tool, assistant("done")])).toBe("q\ndone");
});
