import { describe, expect, it } from "vitest";
import { ada, bob, bot, startHomeserverStub } from "./testing/homeserver-stub.ts";
import { eventually } from "./testing/eventually.ts";
import { openMatrix } from "./testing/open-matrix.ts";

const mention = { "m.mentions": { user_ids: [bot.userId] } };

describe("in direct chats", () => {
  it("hands over what is written from the first start on, and says that it was read", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    homeserver.say(room, "from before");
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const eventId = homeserver.say(room, "  hello Talon ");
    await eventually(() => expect(matrix.contents()).toEqual(["hello Talon"]));
    expect(matrix.received[0]).toMatchObject({
      conversationId: room,
      senderId: ada,
      senderName: "Ada",
      messageId: eventId,
      threadId: "",
      metadata: {},
    });
    expect(Math.abs((matrix.received[0]?.sentAt?.getTime() ?? 0) - Date.now())).toBeLessThan(
      60_000,
    );
    await eventually(() => {
      const [receipt] = homeserver.calls(/receipt\/m\.read/);
      expect(receipt?.path).toContain(eventId);
      expect(receipt?.json).toEqual({ thread_id: "main" });
    });
  });

  it("leaves alone what is not said to it", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const first = homeserver.say(room, "first");
    homeserver.say(room, "a program's word", { msgtype: "m.notice" });
    homeserver.say(room, "* corrected", {
      "m.new_content": { msgtype: "m.text", body: "corrected" },
      "m.relates_to": { rel_type: "m.replace", event_id: first },
    });
    homeserver.say(room, "another of our kind", { "org.opentalon.bot": true });
    homeserver.say(room, "our own", {}, bot.userId);
    homeserver.say(room, "");
    homeserver.append(room, {
      type: "m.room.message",
      sender: ada,
      content: { msgtype: 7, body: {} },
    });
    homeserver.append(room, { type: "m.room.message", sender: ada, content: {} });
    homeserver.append(room, { type: "m.sticker", sender: ada, content: { body: "sticker" } });
    homeserver.redact(room, homeserver.say(room, "taken back"));
    homeserver.say(room, "waves", { msgtype: "m.emote" });
    homeserver.say(room, "odd", {
      "m.relates_to": {
        rel_type: "m.thread",
        event_id: "$".repeat(1_000),
        "m.in_reply_to": { event_id: 7 },
      },
    });
    await eventually(() => expect(matrix.contents()).toEqual(["first", "* Ada waves", "odd"]));
    expect(matrix.received.map(({ threadId }) => threadId)).toEqual(["", "", ""]);
  });

  it("reads an answer without the quote that older clients put before it", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const relation = { "m.relates_to": { "m.in_reply_to": { event_id: "$x" } } };
    homeserver.say(room, "> <@bob:other.test> quoted\n> more\n\nand so?", relation);
    homeserver.say(room, "> my own quote\n\nstays", relation);
    await eventually(() =>
      expect(matrix.contents()).toEqual(["and so?", "> my own quote\n\nstays"]),
    );
  });
});

describe("in rooms", () => {
  it("answers who mentions it, without its name", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openGroup();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    homeserver.say(room, "among ourselves");
    homeserver.say(room, "what a talon, that bird", { "m.mentions": {} });
    homeserver.say(room, "Talon: one", mention);
    homeserver.say(room, "[@talon:hs.test](https://matrix.to/#/@talon:hs.test) two", mention);
    homeserver.say(room, "Talon three", {
      format: "org.matrix.custom.html",
      formatted_body: '<a href="https://matrix.to/#/%40talon%3Ahs.test">Talon</a> three',
    });
    homeserver.say(room, "talon, four", { "m.mentions": {} });
    homeserver.say(room, "five, @talon:hs.test?", {}, bob);
    homeserver.say(room, "everybody!", { "m.mentions": { room: true } });
    homeserver.say(room, "Talon");
    await eventually(() =>
      expect(matrix.contents()).toEqual(["one", "two", "three", "four", "five?", "Talon"]),
    );
    expect(matrix.received.map(({ metadata }) => metadata)).toEqual(
      Array.from({ length: 6 }, () => ({ is_group: "true" })),
    );
    expect(matrix.received[4]).toMatchObject({ senderId: bob, senderName: "Bob" });
  });

  it("goes on without a mention in threads it takes part in and where it is answered, also after a restart", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openGroup();
    const asked = homeserver.say(room, "Talon: in a thread", mention);
    const inThread = (root: string): Record<string, unknown> => ({
      "m.relates_to": {
        rel_type: "m.thread",
        event_id: root,
        is_falling_back: true,
        "m.in_reply_to": { event_id: root },
      },
    });
    const foreign = homeserver.say(room, "about lunch");
    await using first = await openMatrix({ homeserver });
    await first.listening();
    homeserver.say(room, "not yet", inThread(asked));
    homeserver.say(room, "Talon: now", { ...inThread(asked), ...mention });
    await eventually(() => expect(first.contents()).toEqual(["now"]));
    expect(first.received[0]?.threadId).toBe(asked);
    await first.send({ conversationId: room, threadId: asked, content: "here I am" });
    const { messageIds } = await first.send({ conversationId: room, content: "by the way" });
    const [own = ""] = messageIds;
    homeserver.say(room, "and then?", inThread(asked));
    homeserver.say(room, "soup?", inThread(foreign));
    await eventually(() => expect(first.contents()).toEqual(["now", "and then?"]));
    await first.stop();

    await using second = await openMatrix({ homeserver, folder: first.folder });
    await second.listening();
    homeserver.say(room, "still there?", inThread(asked));
    homeserver.say(room, "below yours", inThread(own));
    homeserver.say(room, "to yours", { "m.relates_to": { "m.in_reply_to": { event_id: own } } });
    homeserver.say(room, "to Ada", { "m.relates_to": { "m.in_reply_to": { event_id: foreign } } });
    homeserver.say(room, "pasta?", inThread(foreign));
    homeserver.say(room, "to nothing", {
      "m.relates_to": { "m.in_reply_to": { event_id: "$gone" } },
    });
    await eventually(() =>
      expect(second.contents()).toEqual(["still there?", "below yours", "to yours"]),
    );
    expect(second.received.map(({ threadId }) => threadId)).toEqual([asked, own, ""]);
  });

  it("notices when a direct chat becomes a room", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    homeserver.say(room, "alone");
    await eventually(() => expect(matrix.contents()).toEqual(["alone"]));
    homeserver.setMembership(room, { userId: bob, displayName: "Bob" }, "join");
    homeserver.say(room, "hello Bob");
    homeserver.say(room, "Talon: and you", mention);
    await eventually(() => expect(matrix.contents()).toEqual(["alone", "and you"]));
    homeserver.setMembership(room, { userId: bob, displayName: "Bob" }, "leave");
    homeserver.say(room, "alone again");
    await eventually(() => expect(matrix.contents()).toEqual(["alone", "and you", "alone again"]));
  });

  it("hands over reactions to its own messages, and to no others", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openGroup();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const foreign = homeserver.say(room, "lunch?");
    homeserver.react(room, foreign, "👍");
    const { messageIds } = await matrix.send({
      conversationId: room,
      threadId: foreign,
      content: "soup",
    });
    const [own = ""] = messageIds;
    const reaction = homeserver.react(room, own, "👎", bob);
    homeserver.react(room, "$unknown", "👍");
    homeserver.react(room, own, "x".repeat(1_000));
    await eventually(() =>
      expect(matrix.received).toMatchObject([
        {
          conversationId: room,
          threadId: foreign,
          senderId: bob,
          content: "",
          messageId: reaction,
          metadata: { is_group: "true", reaction: "👎", reaction_to: own },
        },
      ]),
    );
  });
});

describe("files", () => {
  it("come along with their names and kinds, over the older address too", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const image = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0x00]);
    homeserver.say(room, "../cat.png", {
      msgtype: "m.image",
      url: homeserver.addMedia(image, "image/png"),
      info: { mimetype: "image/png", size: 6 },
    });
    homeserver.say(room, "what is that?", {
      msgtype: "m.file",
      filename: "notes.txt",
      url: homeserver.addMedia(Buffer.from("notes"), "text/plain; charset=utf-8"),
    });
    await eventually(() => expect(matrix.received.length).toBe(2));
    homeserver.hasOldMedia = true;
    homeserver.say(room, "Voice message", {
      msgtype: "m.audio",
      url: homeserver.addMedia(Buffer.from("OggS"), "application/octet-stream"),
      info: { mimetype: "audio/ogg", duration: 2_000 },
      "org.matrix.msc3245.voice": {},
    });
    await eventually(() => expect(matrix.received.length).toBe(3));
    expect(matrix.received.map(({ content, files }) => [content, files])).toEqual([
      ["", [{ name: "cat.png", mimeType: "image/png", data: image }]],
      [
        "what is that?",
        [{ name: "notes.txt", mimeType: "text/plain", data: Buffer.from("notes") }],
      ],
      ["", [{ name: "Voice message", mimeType: "audio/ogg", data: Buffer.from("OggS") }]],
    ]);
    for (const { headers } of homeserver.calls(/download/))
      expect(headers.authorization).toBe(`Bearer ${bot.token}`);
  });

  it("that cannot be had leave a note", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    await using matrix = await openMatrix({ homeserver });
    await matrix.listening();
    const url = homeserver.addMedia(Buffer.alloc(10), "video/mp4");
    homeserver.say(room, "long.mp4", { msgtype: "m.video", url, info: { size: 2 ** 30 } });
    homeserver.say(room, "gone.pdf", { msgtype: "m.file", url: "mxc://hs.test/nothing" });
    homeserver.say(room, "odd.pdf", { msgtype: "m.file", url: "mxc://hs.test/../../secret" });
    homeserver.say(room, "sealed.pdf", { msgtype: "m.file", file: { url, key: {} } });
    await eventually(() =>
      expect(matrix.contents()).toEqual([
        "[file long.mp4: larger than 30 MiB]",
        "[file gone.pdf: it could not be loaded]",
        "[file odd.pdf: it has no address]",
        "[file sealed.pdf: it is encrypted]",
      ]),
    );
  });
});

describe("encrypted rooms", () => {
  it("hear once, over restarts too, that nobody reads them", async () => {
    await using homeserver = await startHomeserverStub();
    const room = homeserver.openDirectChat();
    homeserver.append(room, {
      type: "m.room.encryption",
      sender: ada,
      state_key: "",
      content: { algorithm: "m.megolm.v1.aes-sha2" },
    });
    const encrypted = { type: "m.room.encrypted", sender: ada, content: { ciphertext: "AwgAE…" } };
    await using first = await openMatrix({ homeserver });
    await first.listening();
    homeserver.append(room, encrypted);
    const other = homeserver.openDirectChat(bob);
    await eventually(() => expect(homeserver.texts(room).length).toBe(1));
    expect(homeserver.shown(room)[0]?.content).toMatchObject({
      msgtype: "m.notice",
      body: expect.stringMatching(/encrypted.*room without encryption/) as string,
    });
    expect(first.log.filter((line) => line.includes("is encrypted"))).toEqual([
      expect.stringContaining(room),
    ]);
    await first.stop();
    await using second = await openMatrix({ homeserver, folder: first.folder });
    await second.listening();
    homeserver.append(room, encrypted);
    homeserver.say(other, "readable", {}, bob);
    await eventually(() => expect(second.contents()).toEqual(["readable"]));
    expect(homeserver.texts(room).length).toBe(1);
  });
});
