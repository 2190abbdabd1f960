import { afterEach, describe, expect, it, vi } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import type { Turn } from "../../domain/turn.ts";
import { createRecordingHost } from "../testing/recording-host.ts";
import { createBundledChannel } from "./testing/bundled-channel.ts";
import { startTelegramStub, telegramBot, type TelegramStub } from "./testing/telegram-stub.ts";
import type { YamlChannel } from "./yaml-channel.ts";

const opened: AsyncDisposable[] = [];
const clock = createManualClock();

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]();
});

async function open(): Promise<{ telegram: TelegramStub; channel: YamlChannel }> {
  const telegram = await startTelegramStub();
  const config = {
    bot_token: telegramBot.token,
    api_url: telegram.server.url,
    webhook_secret: "s",
    public_url: "https://bot.example.com",
  };
  const channel = createBundledChannel("telegram-webhook", config, { clock });
  opened.push(telegram, channel);
  await channel.start(createRecordingHost());
  return { telegram, channel };
}

const toReply = (content: string, more: Partial<OutboundMessage> = {}): OutboundMessage => ({
  channel: "x",
  conversationId: "c",
  threadId: "",
  content,
  files: [],
  metadata: { in_reply_to: "m" },
  ...more,
});

const turn: Turn = {
  id: "t1",
  sessionKey: "s",
  attempt: 1,
  message: {
    ...toReply(""),
    channelKind: "telegram",
    platformMessageId: "m",
    senderId: "u",
    senderName: "",
    metadata: { is_group: "true" },
    sentAtMs: 0,
  },
};

describe("an answer in Telegram", () => {
  it("is HTML that Telegram reads, in parts that are whole", async () => {
    const { telegram, channel } = await open();
    const code = Array.from({ length: 400 }, (_, line) => `if (a < ${line} && b > 0) {}`).join(
      "\n",
    );
    const parts =
      channel.split?.(
        toReply(`# Result\n\nUse **this** & \`that\`:\n\n\`\`\`c\n${code}\n\`\`\``),
      ) ?? [];
    expect(parts.length).toBeGreaterThan(2);
    for (const [index, part] of parts.entries()) await channel.send(part, `d#${index}`);
    const [first, second] = telegram.texts();
    expect(first).toMatch(/^<b>Result<\/b>\n\nUse <b>this<\/b> &amp; <code>that<\/code>:\n\n<pre>/);
    expect(second).toMatch(/^<pre><code class="language-c">if \(a &lt; \d+ [^]*<\/code><\/pre>$/);
    expect(telegram.texts().length).toBe(parts.length);
    expect(telegram.calls("sendMessage").every(({ json }) => json["parse_mode"] === "HTML")).toBe(
      true,
    );
  });

  it("goes out as plain text when a formatter wrote what Telegram cannot read", async () => {
    const { telegram, channel } = await open();
    await channel.send(toReply("<b>a &lt; <u>b</b> <x>", { isFormatted: true }), "d1");
    expect(telegram.texts()).toEqual(["a < b "]);
    expect(telegram.calls("sendMessage").map(({ json }) => json["parse_mode"])).toEqual([
      "HTML",
      undefined,
    ]);
    const file = { name: "a.png", mimeType: "image/png", data: Buffer.from("png") };
    await channel.send(toReply("<b>c", { isFormatted: true, files: [file] }), "d2");
    expect(telegram.files()).toMatchObject([{ caption: "c", fields: { chat_id: "c" } }]);
  });

  it("is left to the formatter that has written it", async () => {
    const { telegram, channel } = await open();
    await channel.send(toReply("<i>**mine**</i>", { isFormatted: true }), "d1");
    expect(telegram.texts()).toEqual(["<i>**mine**</i>"]);
  });

  it("is readable wherever it stands while it is written, at the pace of a group", async () => {
    const { telegram, channel } = await open();
    const answer =
      `Some **bold words and \`code < that\`** with [a link](https://e.com/x_y), then:\n\n\`\`\`js\nif (a < b) run("${"x".repeat(300)}");\n\`\`\`\n\n- and **more** & more\n`.repeat(
        2,
      );
    const calls = () => [...telegram.calls("sendMessage"), ...telegram.calls("editMessageText")];
    const size = 67;
    for (let at = 0; at < answer.length - size; at += size) {
      const before = calls().length;
      channel.show?.(turn, { kind: "text-delta", text: answer.slice(at, at + size) });
      clock.advance(at === 0 ? 0 : 4_999);
      channel.show?.(turn, { kind: "text-delta", text: "" });
      expect(calls().length).toBe(before);
      clock.advance(1);
      await vi.waitFor(() => {
        channel.show?.(turn, { kind: "text-delta", text: "" });
        expect(calls().length).toBe(before + 1);
      });
    }
    await channel.send(toReply(answer), "d1");
    expect(telegram.texts()).toEqual([
      expect.stringMatching(/^Some <b>bold words[^]*more<\/b> &amp; more$/),
    ]);
    expect(calls().length).toBeGreaterThan(8);
    // None of them was refused and repeated as plain text.
    expect(calls().every(({ json }) => json["parse_mode"] === "HTML")).toBe(true);
  });

  it("is complete at once although edits of it were too many", async () => {
    const { telegram, channel } = await open();
    const words = "words of an answer that is being written just now, and more ";
    channel.show?.(turn, { kind: "text-delta", text: words });
    await vi.waitFor(() => expect(telegram.texts().length).toBe(1));
    const tooMany = {
      status: 429,
      json: {
        ok: false,
        description: "Too Many Requests: retry after 30",
        parameters: { retry_after: 30 },
      },
    };
    telegram.server.intercept(({ path }) =>
      path.endsWith("editMessageText") ? tooMany : undefined,
    );
    clock.advance(6_000);
    channel.show?.(turn, { kind: "text-delta", text: words });
    await vi.waitFor(() => expect(telegram.calls("editMessageText").length).toBe(1));
    telegram.server.intercept(undefined);
    // Edits wait; the answer does not.
    clock.advance(6_000);
    channel.show?.(turn, { kind: "text-delta", text: words });
    await channel.send(toReply("the **end**"), "d1");
    expect(telegram.texts()).toEqual(["the <b>end</b>"]);
    expect(telegram.calls("editMessageText").length).toBe(2);
  });
});
