import { describe, expect, it } from "vitest";
import { ada, bob, bot, startHomeserverStub, type StubAnswer } from "./testing/homeserver-stub.ts";
import { eventually } from "./testing/eventually.ts";
import { openMatrix } from "./testing/open-matrix.ts";
import { createSkippingClock } from "./testing/skipping-clock.ts";

const mention = { "m.mentions": { user_ids: [bot.userId] } };
const limited: StubAnswer = {
  status: 429,
  json: { errcode: "M_LIMIT_EXCEEDED", error: "Too Many Requests", retry_after_ms: 3_000 },
};

describe("answers", () => {
  it("carry their formatting, and in direct chats nothing else", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const asked = homeserver.say(room, "hello");
    const metadata = { in_reply_to: asked };
    const posted = await matrix.send({ conversationId: room, content: "a **b** <i>", metadata });
    await matrix.send({ conversationId: room, content: "plain", metadata: { type: "error" } });
    const [first, second] = homeserver.shown();
    expect(posted).toEqual({ messageIds: [first?.eventId] });
    expect(first?.content).toEqual({
      msgtype: "m.text",
      body: "a **b** <i>",
      format: "org.matrix.custom.html",
      formatted_body: "a <strong>b</strong> &lt;i&gt;",
      "m.mentions": {},
      "org.opentalon.bot": true,
    });
    expect(second?.content).toEqual({
      msgtype: "m.notice",
      body: "plain",
      "m.mentions": {},
      "org.opentalon.bot": true,
    });
  });

  it("in rooms show what they answer and call who asked; in threads they stay there", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openGroup();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const asked = homeserver.say(room, "Talon: hello", mention, bob);
    await eventually(() => expect(matrix.received.length).toBe(1));
    const metadata = { in_reply_to: asked };
    await matrix.send({ conversationId: room, content: "hi", metadata });
    await matrix.send({ conversationId: room, threadId: "$root", content: "there", metadata });
    await matrix.send({ conversationId: room, threadId: "$root", content: "by the way" });
    const thread = { rel_type: "m.thread", event_id: "$root", is_falling_back: true };
    expect(
      homeserver.shown().map(({ content }) => [content["m.relates_to"], content["m.mentions"]]),
    ).toEqual([
      [{ "m.in_reply_to": { event_id: asked } }, { user_ids: [bob] }],
      [{ ...thread, "m.in_reply_to": { event_id: asked } }, { user_ids: [bob] }],
      [{ ...thread, "m.in_reply_to": { event_id: "$root" } }, {}],
    ]);
  });

  it("to a reaction answer what it stands at", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openGroup();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const { messageIds } = await matrix.send({ conversationId: room, content: "first try" });
    const reaction = homeserver.react(room, messageIds[0] ?? "", "🔁", bob);
    await eventually(() => expect(matrix.received.length).toBe(1));
    await matrix.send({
      conversationId: room,
      content: "second",
      metadata: { in_reply_to: reaction },
    });
    expect(homeserver.shown()[1]?.content).toMatchObject({
      "m.relates_to": { "m.in_reply_to": { event_id: messageIds[0] } },
      "m.mentions": { user_ids: [bob] },
    });
  });

  it("are notices where that is wished", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    const config = { homeserver: homeserver.url, access_token: bot.token, answers_as: "notice" };
    await using matrix = await openMatrix({ homeserver, config });
    await matrix.listening();
    await matrix.send({ conversationId: room, content: "hush" });
    expect(homeserver.shown()[0]?.content["msgtype"]).toBe("m.notice");
  });

  it("arrive once, though the connection breaks after they did, and though they are sent again after a restart", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    const clock = createSkippingClock();
    await using first = await openMatrix({ homeserver, clock });
    await first.listening();
    let cuts = 0;
    homeserver.intercept((request) => {
      if (!request.path.includes("/send/") || cuts > 1) return undefined;
      cuts += 1;
      // The homeserver has it, and its answer is lost.
      if (cuts === 1) void homeserver.perform(request);
      return { json: {}, isCut: true };
    });
    const message = {
      conversationId: room,
      content: "once",
      deliveryId: "d-1",
      files: [{ name: "a.txt", mimeType: "text/plain", data: Buffer.from("a") }],
    };
    const posted = await first.send(message);
    expect(posted.messageIds.length).toBe(2);
    await first.stop();
    await using second = await openMatrix({ homeserver, folder: first.folder });
    await second.listening();
    expect(await second.send(message)).toEqual(posted);
    await second.send({ ...message, files: [], deliveryId: "d-2" });
    expect(homeserver.texts()).toEqual(["once", "a.txt", "once"]);
  });

  it("wait as long as the homeserver asks for, and fail in words when that is too long", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    const clock = createSkippingClock();
    await using matrix = await openMatrix({ homeserver, clock });
    await matrix.listening();
    let refusals = 0;
    homeserver.intercept(({ path }) =>
      path.includes("/send/") && (refusals += 1) < 3 ? limited : undefined,
    );
    await matrix.send({ conversationId: room, content: "patient" });
    expect(clock.pausesMs).toEqual([3_000, 3_000]);
    homeserver.intercept(({ path }) => (path.includes("/send/") ? limited : undefined));
    await expect(matrix.send({ conversationId: room, content: "too much" })).rejects.toThrow(
      /status 429, M_LIMIT_EXCEEDED/,
    );
    homeserver.intercept(({ path }) =>
      path.includes("/send/")
        ? { status: 403, json: { errcode: "M_FORBIDDEN", error: "You are muted" } }
        : undefined,
    );
    const failed = matrix.send({ conversationId: room, content: "muted" });
    await expect(failed).rejects.toThrow(/status 403, M_FORBIDDEN You are muted/);
    expect(homeserver.texts()).toEqual(["patient"]);
  });
});

describe("answers that grow", () => {
  const live = (asked: string, state: "partial" | "final"): Record<string, string> => ({
    in_reply_to: asked,
    _live: "turn-1",
    _live_state: state,
  });

  it("are one message, edited, that ends as the answer", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openGroup();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const asked = homeserver.say(room, "Talon: tell", mention);
    await eventually(() => expect(matrix.received.length).toBe(1));
    for (const content of ["Once", "Once upon", "Once upon"])
      await matrix.send({ conversationId: room, content, metadata: live(asked, "partial") });
    expect(homeserver.texts()).toEqual(["Once upon"]);
    const posted = await matrix.send({
      conversationId: room,
      content: "Once upon **a time**",
      metadata: live(asked, "final"),
    });
    const [shown] = homeserver.shown();
    expect(posted).toEqual({ messageIds: [shown?.eventId] });
    expect(homeserver.shown().length).toBe(1);
    expect(shown?.content).toMatchObject({
      body: "Once upon **a time**",
      formatted_body: "Once upon <strong>a time</strong>",
    });
    const sent = homeserver.sent("m.room.message").map(({ content }) => content);
    expect(sent.length).toBe(3);
    expect(sent[0]).toMatchObject({
      "m.relates_to": { "m.in_reply_to": { event_id: asked } },
      "m.mentions": { user_ids: [ada] },
    });
    expect(sent[2]).toMatchObject({
      body: "* Once upon **a time**",
      "m.relates_to": { rel_type: "m.replace", event_id: shown?.eventId },
      "m.mentions": {},
    });
    // Another answer to the same message is another message.
    await matrix.send({ conversationId: room, content: "P.S.", metadata: { in_reply_to: asked } });
    expect(homeserver.texts()).toEqual(["Once upon **a time**", "P.S."]);
  });

  it("show less while the homeserver wants patience, and end whole", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    const clock = createSkippingClock();
    await using matrix = await openMatrix({ homeserver, clock });
    await matrix.listening();
    const show = (content: string): Promise<unknown> =>
      matrix.send({ conversationId: room, content, metadata: live("$asked", "partial") });
    await show("1");
    homeserver.intercept(({ path }) => (path.includes("/send/") ? limited : undefined));
    await show("1 2");
    await show("1 2 3");
    expect(homeserver.calls(/\/send\//).length).toBe(2);
    homeserver.intercept(undefined);
    await show("1 2 3 4");
    expect(homeserver.texts()).toEqual(["1"]);
    clock.advance(3_001);
    await show("1 2 3 4 5");
    expect(homeserver.texts()).toEqual(["1 2 3 4 5"]);
    let refusals = 0;
    homeserver.intercept(({ path }) =>
      path.includes("/send/") && (refusals += 1) < 3 ? limited : undefined,
    );
    await matrix.send({ conversationId: room, content: "done", metadata: live("$asked", "final") });
    expect(homeserver.texts()).toEqual(["done"]);
  });

  it("end in their place after a crash, also when nobody heard that they began", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using first = await openMatrix({ homeserver });
    await first.listening();
    homeserver.intercept((request) => {
      if (!request.path.includes("/send/")) return undefined;
      void homeserver.perform(request);
      return { json: {}, isCut: true };
    });
    await first.send({ conversationId: room, content: "Onc", metadata: live("$a", "partial") });
    homeserver.intercept(undefined);
    await first.send({ conversationId: room, content: "Twi", metadata: live("$b", "partial") });
    expect(homeserver.texts()).toEqual(["Onc", "Twi"]);
    await first.stop();
    await using second = await openMatrix({ homeserver, folder: first.folder });
    await second.listening();
    // After a crash of OpenTalon, too, the answer does not know of its beginning.
    const once = { conversationId: room, content: "Once", metadata: { in_reply_to: "$a" } };
    await second.send({ ...once, deliveryId: "d-a" });
    await second.send({ conversationId: room, content: "Twice", metadata: live("$b", "final") });
    expect(homeserver.texts()).toEqual(["Once", "Twice"]);
    await second.stop();
    await using third = await openMatrix({ homeserver, folder: first.folder });
    await third.listening();
    await third.send({ ...once, deliveryId: "d-a" });
    expect(homeserver.texts()).toEqual(["Once", "Twice"]);
    await third.send({ ...once, deliveryId: "d-c" });
    expect(homeserver.texts()).toEqual(["Once", "Twice", "Once"]);
  });

  it("that fail say so in the same place", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    await matrix.send({ conversationId: room, content: "Well", metadata: live("$a", "partial") });
    const metadata = { ...live("$a", "final"), type: "error" };
    await matrix.send({ conversationId: room, content: "Well", metadata });
    expect(homeserver.shown()).toMatchObject([{ content: { msgtype: "m.notice", body: "Well" } }]);
  });
});

describe("files", () => {
  it("go out as what they are", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const image = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0x00]);
    const posted = await matrix.send({
      conversationId: room,
      threadId: "$root",
      content: "here",
      files: [
        { name: "cat & dog.png", mimeType: "image/png", data: image },
        { name: "", mimeType: "", data: Buffer.from("?") },
        { name: "a.ogg", mimeType: "audio/ogg", data: Buffer.from("OggS") },
      ],
    });
    const [text, ...files] = homeserver.shown();
    expect(posted.messageIds).toEqual([text, ...files].map((each) => each?.eventId));
    expect(
      files.map(({ content }) => [content["msgtype"], content["filename"], content["info"]]),
    ).toEqual([
      ["m.image", "cat & dog.png", { mimetype: "image/png", size: 6 }],
      ["m.file", "file", { mimetype: "application/octet-stream", size: 1 }],
      ["m.audio", "a.ogg", { mimetype: "audio/ogg", size: 4 }],
    ]);
    expect(files.map(({ content }) => homeserver.media.get(String(content["url"]))?.data)).toEqual([
      image,
      Buffer.from("?"),
      Buffer.from("OggS"),
    ]);
    for (const { content } of files)
      expect(content["m.relates_to"]).toMatchObject({ rel_type: "m.thread", event_id: "$root" });
    expect(homeserver.calls(/upload$/)[0]?.query.get("filename")).toBe("cat & dog.png");
  });

  it("the homeserver does not take are named, and the rest arrives", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    homeserver.intercept(({ path, query }) =>
      path.endsWith("/upload") && query.get("filename") === "big.bin"
        ? { status: 413, json: { errcode: "M_TOO_LARGE", error: "too large" } }
        : undefined,
    );
    await matrix.send({
      conversationId: room,
      files: [
        { name: "big.bin", mimeType: "", data: Buffer.alloc(100) },
        { name: "small.bin", mimeType: "", data: Buffer.alloc(1) },
      ],
    });
    expect(homeserver.texts()).toEqual([
      "The file big.bin could not be sent: too large for this homeserver.",
      "small.bin",
    ]);
  });
});

describe("questions for consent", () => {
  it.each(["as a message of their own", "at the end of an answer that grew"])(
    "offer yes and no, %s, and know the word after a restart",
    async (how) => {
      await using homeserver = await startHomeserverStub();
      const room = homeserver.openGroup();
      await using first = await openMatrix({ homeserver });
      await first.listening();
      const asked = homeserver.say(room, "Talon: delete it", mention);
      await eventually(() => expect(first.received.length).toBe(1));
      const place = { conversationId: room, threadId: "$root" };
      const growing = { in_reply_to: asked, _live: "turn-1" };
      if (how.includes("grew")) {
        const metadata = { ...growing, _live_state: "partial" };
        await first.send({ ...place, content: "Shall I", metadata });
      }
      const { messageIds } = await first.send({
        ...place,
        content: "Shall I delete it?",
        metadata: {
          ...(how.includes("grew") ? { ...growing, _live_state: "final" } : { in_reply_to: asked }),
          type: "confirmation",
          options: "approve,reject",
          tool_call_id: "call-7",
        },
      });
      const [question = ""] = messageIds;
      expect(homeserver.texts()).toEqual(["Shall I delete it?"]);
      expect(homeserver.sent("m.reaction").map(({ content }) => content["m.relates_to"])).toEqual([
        { rel_type: "m.annotation", event_id: question, key: "✅" },
        { rel_type: "m.annotation", event_id: question, key: "❌" },
      ]);
      homeserver.react(room, question, "❌", bob);
      const word = (confirmation: string): unknown => ({
        is_group: "true",
        confirmation,
        tool_call_id: "call-7",
      });
      await eventually(() => expect(first.received.length).toBe(2));
      expect(first.received[1]).toMatchObject({ content: "", senderId: bob, threadId: "$root" });
      expect(first.received[1]?.metadata).toEqual(word("reject"));
      await first.stop();
      await using second = await openMatrix({ homeserver, folder: first.folder });
      await second.listening();
      homeserver.react(room, question, "✅", ada);
      homeserver.react(room, question, "🎉", ada);
      await eventually(() => expect(second.received.length).toBe(2));
      expect(second.received.map(({ metadata }) => metadata)).toEqual([
        word("approve"),
        { is_group: "true", reaction: "🎉", reaction_to: question },
      ]);
    },
  );
});

it("shows that it writes, until the answer is there", async () => {
  await using homeserver = await startHomeserverStub();
  const room = homeserver.openDirectChat();
  await using matrix = await openMatrix({ homeserver });
  await matrix.listening();
  await matrix.channel.typing?.({ conversationId: room, threadId: "" });
  const metadata = { _live: "t", _live_state: "partial" };
  await matrix.send({ conversationId: room, content: "so", metadata });
  await matrix.send({ conversationId: room, content: "so far" });
  await matrix.send({ conversationId: room, content: "more" });
  await eventually(() => expect(homeserver.calls(/\/typing\//).length).toBe(2));
  expect(
    homeserver.calls(/\/typing\//).map(({ path, json }) => [path.endsWith(bot.userId), json]),
  ).toEqual([
    [true, { typing: true, timeout: 30_000 }],
    [true, { typing: false }],
  ]);
});
