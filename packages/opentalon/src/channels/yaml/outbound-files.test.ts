import { afterEach, describe, expect, it } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import type { FileAttachment, OutboundMessage } from "../../domain/message.ts";
import { createDeliveryLoop, toSendOutcome } from "../../orchestrator/delivery.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { createRecordingHost } from "../testing/recording-host.ts";
import { createBundledChannel } from "./testing/bundled-channel.ts";
import { defineChannel } from "./testing/define-channel.ts";
import { readForm } from "./testing/posted-file.ts";
import { slackBot, startSlackStub } from "./testing/slack-stub.ts";
import { startStubServer, type StubServer } from "./testing/stub-server.ts";
import { startTeamsStub, teamsApp } from "./testing/teams-stub.ts";
import { startTelegramStub, telegramBot } from "./testing/telegram-stub.ts";
import { startWhatsAppStub, whatsAppApp } from "./testing/whatsapp-stub.ts";
import type { YamlChannel } from "./yaml-channel.ts";

const opened: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]();
});

const toFile = (
  name: string,
  mimeType: string,
  content: string | number = name,
): FileAttachment => ({
  name,
  mimeType,
  data: typeof content === "number" ? new Uint8Array(content) : Buffer.from(content),
});

const toMessage = (
  content: string,
  files: readonly FileAttachment[],
  more: Partial<OutboundMessage> = {},
): OutboundMessage => ({
  channel: "x",
  conversationId: "c",
  threadId: "",
  content,
  files,
  metadata: {},
  ...more,
});

/** As the outbox delivers a reply: one part after another. */
async function deliver(channel: YamlChannel, message: OutboundMessage): Promise<void> {
  for (const [index, part] of (channel.split?.(message) ?? [message]).entries())
    await channel.send(part, `d#${index + 1}`);
}

describe("files of an answer in Slack", () => {
  it("come in the thread, the text with the first one", async () => {
    const slack = await startSlackStub();
    opened.push(slack);
    const channel = createBundledChannel("slack-events", {
      bot_token: slackBot.token,
      signing_secret: "s",
      api_url: slack.apiUrl,
    });
    opened.push(channel);
    await channel.start(createRecordingHost());
    const files = [toFile('größe & "x".png', "image/png"), toFile("../b.txt", "text/plain")];
    await deliver(
      channel,
      toMessage("Two **files**", files, { conversationId: "C1", threadId: "170.1" }),
    );
    const fields = { channel_id: "C1", thread_ts: "170.1" };
    expect(slack.files()).toMatchObject([
      { name: 'größe & "x".png', caption: "Two *files*", fields },
      { name: "b.txt", caption: "", fields },
    ]);
    expect(slack.files()[0]?.bytes.toString()).toBe('größe & "x".png');
    expect(slack.texts()).toEqual([]);
  });
});

describe("files of an answer in Telegram", () => {
  async function open(): Promise<{
    telegram: Awaited<ReturnType<typeof startTelegramStub>>;
    channel: YamlChannel;
  }> {
    const telegram = await startTelegramStub();
    opened.push(telegram);
    const channel = createBundledChannel("telegram-webhook", {
      bot_token: telegramBot.token,
      api_url: telegram.server.url,
      webhook_secret: "s",
      public_url: "https://bot.example.com",
    });
    opened.push(channel);
    await channel.start(createRecordingHost());
    return { telegram, channel };
  }

  it.each([
    ["a.jpg", "image/jpeg", "sendPhoto"],
    ["a.gif", "image/gif", "sendAnimation"],
    ["a.ogg", "audio/ogg; codecs=opus", "sendVoice"],
    ["a.mp3", "audio/mpeg", "sendAudio"],
    ["a.mp4", "video/mp4", "sendVideo"],
    ["a.pdf", "application/pdf", "sendDocument"],
  ])("go as what they are: %s", async (name, type, method) => {
    const { telegram, channel } = await open();
    await deliver(
      channel,
      toMessage("**Here** <", [toFile(name, type)], { conversationId: "-100", threadId: "9" }),
    );
    expect(telegram.files()).toMatchObject([
      {
        kind: method,
        name,
        caption: "<b>Here</b> &lt;",
        fields: { chat_id: "-100", message_thread_id: "9", parse_mode: "HTML" },
      },
    ]);
    expect(telegram.texts()).toEqual([]);
  });

  it("come after a text that is too long for a caption, in their order", async () => {
    const { telegram, channel } = await open();
    const files = [
      toFile("1.png", "image/png"),
      toFile("2.pdf", "application/pdf"),
      toFile("3.png", "image/png"),
    ];
    const text = "word ".repeat(1_000).trim();
    const parts = channel.split?.(toMessage(text, files)) ?? [];
    expect(parts.map(({ content, files: [file] }) => [content === "", file?.name])).toEqual([
      [false, undefined],
      [false, "1.png"],
      [true, "2.pdf"],
      [true, "3.png"],
    ]);
    await deliver(channel, toMessage("word ".repeat(300).trim(), files));
    expect(telegram.texts().length).toBe(1);
    expect(telegram.files().map(({ name, caption }) => [name, caption])).toEqual([
      ["1.png", ""],
      ["2.pdf", ""],
      ["3.png", ""],
    ]);
  });

  it("that are too large for a picture, or refused as one, go as documents", async () => {
    const { telegram, channel } = await open();
    await deliver(channel, toMessage("", [toFile("large.png", "image/png", 10_000_001)]));
    await deliver(channel, toMessage("Odd", [toFile("odd.png", "image/png")]));
    expect(telegram.files().map(({ kind, caption }) => [kind, caption])).toEqual([
      ["sendDocument", ""],
      ["sendDocument", "Odd"],
    ]);
  });
});

describe("files of an answer in WhatsApp", () => {
  async function open(): Promise<{
    whatsApp: Awaited<ReturnType<typeof startWhatsAppStub>>;
    channel: YamlChannel;
  }> {
    const whatsApp = await startWhatsAppStub();
    opened.push(whatsApp);
    const channel = createBundledChannel("whatsapp", {
      ...whatsAppApp.config,
      api_url: whatsApp.apiUrl,
    });
    opened.push(channel);
    await channel.start(createRecordingHost());
    return { whatsApp, channel };
  }

  it("go as what they are, with captions where WhatsApp has them", async () => {
    const { whatsApp, channel } = await open();
    await deliver(
      channel,
      toMessage("**Photo**", [toFile("a.jpg", "image/jpeg"), toFile("b.json", "application/json")]),
    );
    await deliver(channel, toMessage("Listen", [toFile("c.ogg", "audio/ogg; codecs=opus")]));
    expect(whatsApp.files()).toMatchObject([
      { kind: "image", type: "image/jpeg", caption: "*Photo*" },
      { kind: "document", type: "text/plain", caption: "", fields: { filename: "b.json" } },
      { kind: "audio", caption: "" },
    ]);
    expect(whatsApp.texts()).toEqual(["Listen"]);
  });

  it("that WhatsApp does not take are told to the person", async () => {
    const { whatsApp, channel } = await open();
    const files = [
      toFile("a*b*.zip", "application/zip"),
      toFile("big.png", "image/png", 5_000_001),
      toFile("c.pdf", "application/pdf"),
    ];
    await deliver(channel, toMessage("All", files));
    const [first, second, third] = whatsApp.texts();
    expect(first).toBe("All");
    expect(second).toMatch(
      /^The file "a b \.zip" \(application\/zip, 8 bytes\) was not sent: WhatsApp takes only image\/jpeg, image\/png, /,
    );
    expect(third).toBe(
      'The file "big.png" (image/png, 5 MB) was not sent: WhatsApp takes such files up to 5 MB.',
    );
    expect(whatsApp.files().map(({ name }) => name)).toEqual(["c.pdf"]);
  });
});

describe("files of an answer in Teams", () => {
  it("are pictures in the message; others are told to the person", async () => {
    const teams = await startTeamsStub();
    opened.push(teams);
    const channel = createBundledChannel("msteams", { ...teamsApp.config, ...teams.config });
    opened.push(channel);
    await channel.start(createRecordingHost());
    const files = [toFile("a.png", "image/png"), toFile("b.pdf", "application/pdf")];
    const metadata = { service_url: teams.serviceUrl, activity_id: "m1" };
    await deliver(channel, toMessage("See **this**", files, { metadata }));
    expect(teams.activities()).toEqual([
      {
        type: "message",
        textFormat: "markdown",
        text: "See **this**",
        replyToId: "m1",
        attachments: [
          {
            contentType: "image/png",
            contentUrl: `data:image/png;base64,${Buffer.from("a.png").toString("base64")}`,
            name: "a.png",
          },
        ],
      },
      expect.objectContaining({
        text: 'The file "b.pdf" (application/pdf, 5 bytes) was not sent: Microsoft Teams takes only image/png, image/jpeg, image/gif.',
      }),
    ]);
  });
});

describe("files by rules", () => {
  let server: StubServer;
  let seen: string[];

  async function open(outbound: string): Promise<YamlChannel> {
    seen = [];
    server = await startStubServer({
      handle: ({ path, json, body }) => {
        seen.push(path);
        if (path === "/upload") return { json: { at: { url: `${server.url}/bytes`, id: "u 1" } } };
        return { json: { ok: true, id: 7, echo: json["text"] ?? body.length } };
      },
    });
    opened.push(server);
    const defined = defineChannel(
      `id: stub\nname: Stub\ninbound: {http_webhook: {}}\noutbound:\n${outbound.replaceAll("URL", server.url)}`,
    );
    opened.push(defined);
    await defined.channel.start(defined.host);
    return defined.channel;
  }

  const threeSteps = `
  send: {url: "URL/send", body: '{"text":"{{msg.content}}"}'}
  files:
    - steps:
        - {url: "URL/upload", body: '{"name":"{{file.name}}"}', store: {url: at.url, id: at.id}}
        - {url: "{{resolve.url}}", file_body: true}
        - {url: "URL/share?id={{resolve.id}}", body: '{"id":"{{resolve.id}}","text":"{{msg.content}}"}'}`;

  it("are sent in steps, of which later ones know what earlier ones were answered", async () => {
    const channel = await open(threeSteps);
    await deliver(channel, toMessage("hi", [toFile("a.bin", "application/x-odd", "\u0000ÿ")]));
    expect(seen).toEqual(["/send", "/upload", "/bytes", "/share"]);
    expect(server.requests[2]?.bytes).toEqual(Buffer.from("\u0000ÿ"));
    expect(server.requests[3]?.json).toEqual({ id: "u 1" });
  });

  it("are not sent again when they were sent, and the text neither", async () => {
    const channel = await open(threeSteps);
    let refusals = 2;
    server.intercept(({ path }) =>
      path === "/share" && seen.includes("/share") && (refusals -= 1) >= 0
        ? { status: 503, json: {} }
        : undefined,
    );
    const clock = createManualClock();
    const delivered = Promise.withResolvers<void>();
    const sentParts: number[] = [];
    const loop = createDeliveryLoop({
      posted: { add: () => Promise.resolve() },
      outbox: {
        markSending: () => Promise.resolve(true),
        markPartsSent: (_: string, count: number) => {
          sentParts.push(count);
          return Promise.resolve();
        },
        markDelivered: () => {
          delivered.resolve();
          return Promise.resolve();
        },
        markWaiting: () => {
          setImmediate(() => clock.advance(600_000));
          return Promise.resolve();
        },
        markFailed: (_: string, problem: string) => {
          delivered.reject(new Error(problem));
          return Promise.resolve();
        },
      } as never,
      split: (message) => channel.split?.(message) ?? [message],
      send: (part, id) =>
        channel.send(part, id).then(
          () => ({ kind: "delivered" }) as const,
          (error: unknown) => toSendOutcome(error),
        ),
      maxAttempts: 9,
      clock,
      log: createSilentLog(),
    });
    const message = toMessage("hi", [toFile("a", "t/a"), toFile("b", "t/b")]);
    loop.deliver({ id: "d", turnId: "t", message, attempts: 0, partsSent: 0 } as never);
    await delivered.promise;
    expect(seen.filter((path) => path === "/send").length).toBe(1);
    const shared = server.requests.filter(({ path }) => path === "/share");
    expect(shared.length).toBe(4);
    const uploaded = server.requests.filter(({ path }) => path === "/upload");
    expect(uploaded.map(({ json }) => json["name"])).toEqual(["a", "b", "b", "b"]);
    expect(sentParts).toEqual([1, 2]);
  });

  it("are of unknown fate only when the last step was", async () => {
    const channel = await open(threeSteps);
    const file = toMessage("", [toFile("a", "t/a")]);
    for (const [place, outcome] of [
      ["/bytes", "not-delivered"],
      ["/share", "unknown"],
    ] as const) {
      server.intercept(({ path }) =>
        path === place ? Promise.reject(new Error("gone")) : undefined,
      );
      await expect(channel.send(file, `d-${place}`)).rejects.toMatchObject({ outcome });
    }
  });

  it("leave a text that was sent alone when another attempt is made in the same message", async () => {
    const channel = await open(threeSteps);
    const message = toMessage("hi", [toFile("a", "t/a"), toFile("b", "t/b")]);
    let isDown = true;
    server.intercept(({ path, json }) =>
      path === "/upload" && json["name"] === "b" && isDown ? { status: 503 } : undefined,
    );
    await expect(channel.send(message, "d1")).rejects.toMatchObject({ outcome: "not-delivered" });
    isDown = false;
    await channel.send(message, "d1");
    expect(seen).toEqual(["/send", "/upload", "/bytes", "/share", "/upload", "/bytes", "/share"]);
  });

  it("go in forms, whatever their names are", async () => {
    const channel = await open(`
  send: {url: "URL/send"}
  files:
    - steps:
        - url: "URL/form"
          headers: {Content-Type: text/plain}
          multipart:
            - {name: chat, value: "{{msg.conversation_id}}"}
            - {name: none, value: "{{msg.thread_id}}"}
            - {name: document, file: true, type: "{{file.mime_type}}"}`);
    const name = 'a"; filename="evil.exe\r\nX: 1\r\n\r\nb.txt';
    await deliver(
      channel,
      toMessage("", [{ name, mimeType: "text/plain\r\nX: 1", data: Buffer.from("--talon-\r\n") }], {
        conversationId: "ä\r\nb",
      }),
    );
    const { fields, file } = await readForm(server.requests[0] ?? expect.unreachable("a request"));
    expect(fields).toEqual({ chat: "ä\r\nb" });
    expect(file).toMatchObject({
      field: "document",
      name: 'a"; filename="evil.exeX: 1b.txt',
      type: "application/octet-stream",
    });
    expect(file?.bytes.toString()).toBe("--talon-\r\n");
  });

  it("are told of where a channel sends none, and stay in the body where that has a place for them", async () => {
    const none = await open(`  send: {url: "URL/send", body: '{"text":"{{msg.content}}"}'}`);
    await deliver(none, toMessage("hi", [toFile("a.txt", "text/plain")]));
    expect(server.requests.map(({ json }) => json["text"])).toEqual([
      "hi",
      'The file "a.txt" (text/plain, 5 bytes) was not sent: Stub is sent no files.',
    ]);
    const some = await open(
      `  send: {url: "URL/send", body: '{"text":"{{msg.content}}","file":"{{msg.file_0_data}}"}'}`,
    );
    await deliver(some, toMessage("hi", [toFile("a.txt", "text/plain")]));
    expect(server.requests.map(({ json }) => json)).toEqual([
      { text: "hi", file: Buffer.from("a.txt").toString("base64") },
    ]);
  });

  it("that the platform refuses do not keep the rest from arriving", async () => {
    const channel = await open(
      threeSteps.replace("- steps:", "- caption_length: 100\n      steps:"),
    );
    server.intercept(({ path, json }) =>
      path === "/upload" && json["name"] === "bad" ? { status: 415 } : undefined,
    );
    await deliver(channel, toMessage("hi", [toFile("bad", "t/a"), toFile("good", "t/b")]));
    expect(seen).toEqual(["/send", "/send", "/upload", "/bytes", "/share"]);
    const texts = server.requests
      .filter(({ path }) => path === "/send")
      .map(({ json }) => json["text"]);
    expect(texts).toEqual([
      "hi",
      'The file "bad" (t/a, 3 bytes) was not sent: Stub did not take it.',
    ]);
  });
});
