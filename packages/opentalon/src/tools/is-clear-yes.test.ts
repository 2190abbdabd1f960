import { expect, it } from "vitest";
import { isClearYes } from "./is-clear-yes.ts";

const say = (content: string, confirmation?: string) =>
  isClearYes({ content, metadata: confirmation === undefined ? {} : { confirmation } });

it.each([
  "yes",
  "Yes!",
  " YES, please. ",
  "ok",
  "do it",
  "Ja",
  "ja, bitte",
  "Oui.",
  "sí",
  "да",
  "はい",
  "是的",
  "evet",
  "d'accord",
  "Vas-y !",
  "好的。",
  "¡Sí!",
  "ok 👍",
  "bestätigt",
])("%j is a yes", (text) => expect(say(text)).toBe(true));

it.each([
  "",
  "no",
  "yes?no",
  "yes but not to him",
  "why yes or no",
  "yesterday",
  "👍 and so on",
  "tell me more",
  "not ok",
  "yes?",
  "OK???",
  "> yes",
  '"yes"',
  "“yes”",
  "~~yes~~",
  "/yes",
  "yes 👎",
  "❌ ok",
  "y\u0336e\u0336s\u0336",
  "уes",
  "yе\u0455",
  "ye\u200bs",
  "\u202eyes",
  "yes ".repeat(100),
])("%j is none", (text) => expect(say(text)).toBe(false));

it("a click counts, and only what was clicked", () => {
  expect(say("", "approve")).toBe(true);
  expect(say("yes", "reject")).toBe(false);
  expect(say("yes", "whatever")).toBe(false);
});
