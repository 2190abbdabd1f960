import { describe, expect, it } from "vitest";
import { createMentions } from "./mentions.ts";

const { isMentioned, withoutName } = createMentions({
  userId: "@talon:hs.test",
  displayName: "Talon (the bot)",
});
const none = { "m.mentions": {} };

describe("a mention", () => {
  it.each([
    ["hey talon:hs.test, here", {}],
    ["is the talon (the bot) here?", {}],
    ["@talon here", none],
    ["here, @Talon (the bot)", none],
    ["@talon:hs.test", none],
    ["Talon (The Bot): here", none],
    ["  talon, here", none],
    ["here", { "m.mentions": { user_ids: ["@ada:hs.test", "@talon:hs.test"] } }],
    ["here", { formatted_body: '<a href="https://matrix.to/#/@talon:hs.test">T</a> here' }],
    ["here", { ...none, formatted_body: '<a href="https://matrix.to/#/%40talon%3Ahs.test">T</a>' }],
    ["here", { formatted_body: '<a href="matrix:u/talon:hs.test">T</a> here' }],
  ])("is %j %j", (body, more) => {
    expect(isMentioned({ body, ...more })).toBe(true);
  });

  it.each([
    ["stalony", {}],
    ["my-talon", {}],
    ["@talons", {}],
    ["mail me@talon:hs.test", none],
    ["the talon of a bird", none],
    ["@talon:hs.tester", none],
    ["here", { formatted_body: '<a href="https://matrix.to/#/@talon:hs.test.evil">T</a>' }],
    ["here", { "m.mentions": { user_ids: "@talon:hs.test" } }],
    ["here", { "m.mentions": { room: true } }],
    ["", {}],
  ])("is not %j %j", (body, more) => {
    expect(isMentioned({ body, ...more })).toBe(false);
  });

  it.each([
    ["Talon (the bot): do it", "do it"],
    ["@talon, do it", "do it"],
    ["talon do it", "do it"],
    ["do it @talon:hs.test", "do it"],
    ["do it, @talon!", "do it!"],
    ["please @talon:hs.test do it", "please do it"],
    ["[Talon](https://matrix.to/#/@talon:hs.test) do it", "do it"],
    ["[@talon:hs.test](<https://matrix.to/#/%40talon%3Ahs.test>) do it", "do it"],
    ["write to talon@hs.test", "write to talon@hs.test"],
    ["the talon of a bird", "the talon of a bird"],
    [" @talon ", "@talon"],
  ])("goes from %j, and leaves %j", (body, rest) => {
    expect(withoutName(body)).toBe(rest);
  });

  it("is looked for in no more time than the text is long", () => {
    for (const piece of [" ", "@", "[", "@talon", ", ", "talon ", "[a]("]) {
      const body = piece.repeat(60_000 / piece.length);
      isMentioned({ body, formatted_body: body });
      expect(withoutName(`${body}x`)).not.toBe("");
    }
  });
});
