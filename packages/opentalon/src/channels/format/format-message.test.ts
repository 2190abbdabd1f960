import { describe, expect, it } from "vitest";
import { plainCapabilities } from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import { formatMessage, formatWords, splitFormattedMessage } from "./format-message.ts";

const toMessage = (content: string, more: Partial<OutboundMessage> = {}): OutboundMessage => ({
  channel: "c",
  conversationId: "r",
  threadId: "",
  content,
  files: [],
  metadata: {},
  ...more,
});

const telegram = { ...plainCapabilities, responseFormat: "telegram", maxMessageLength: 20 };

describe("a message", () => {
  it("is formatted once, for a channel with a format", () => {
    const formatted = formatMessage(toMessage("**a** <"), telegram);
    expect(formatted).toMatchObject({ content: "<b>a</b> &lt;", isFormatted: true });
    expect(formatMessage(formatted, telegram)).toBe(formatted);
    expect(formatWords("*x*", telegram)).toBe("<i>x</i>");
  });

  it("stays Markdown where the channel has no format, or asks models for it", () => {
    for (const capabilities of [
      plainCapabilities,
      { ...plainCapabilities, responseFormat: "markdown" },
      { ...telegram, responseFormatPrompt: "Write HTML." },
    ]) {
      const message = toMessage("**a** <");
      expect(formatMessage(message, capabilities)).toBe(message);
      expect(splitFormattedMessage(message, capabilities)).toEqual([message]);
      expect(formatWords("*x*", capabilities)).toBe("*x*");
    }
  });

  it("is cut so that every part is whole, also when a formatter has written it", () => {
    const files = [{ name: "a", mimeType: "t/a", data: new Uint8Array(1) }];
    const own = splitFormattedMessage(toMessage("**one two three four**", { files }), telegram);
    const given = { ...toMessage("<b>one two three four</b>", { files }), isFormatted: true };
    const expected = ["<b>one two three</b>", "<b>four</b>"];
    expect(own.map(({ content }) => content)).toEqual(expected);
    expect(own.map((part) => [part.files.length, part.isFormatted])).toEqual([
      [0, true],
      [1, true],
    ]);
    expect(splitFormattedMessage(given, telegram)).toEqual(own);
    const asked = { ...telegram, responseFormatPrompt: "Write HTML." };
    expect(splitFormattedMessage(given, asked).map(({ content }) => content)).toEqual(expected);
  });

  it("with marks alone is shown, not lost", () => {
    expect(splitFormattedMessage(toMessage("***"), telegram).map(({ content }) => content)).toEqual(
      ["――――――――"],
    );
    expect(formatMessage(toMessage("[](x)"), telegram).content).not.toBe("");
  });
});
