import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { UnknownDeliveryError } from "@opentalon/plugin-sdk";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { startMailBench } from "./testing/mail-bench.ts";
import { runChannel } from "./testing/run-channel.ts";
import { proven, provenBy, type WrittenMail, writeMail } from "./testing/written-mail.ts";

const patient = { timeout: 10_000, interval: 5 };

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

describe("a mail", () => {
  it("is a message of its sender in the thread it belongs to, and is answered in there", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    await mail.write({
      subject: "Grüße 🎉",
      text: "What is 6 × 7?",
      messageId: "<one@example.com>",
    });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    expect(run.messages[0]).toMatchObject({
      conversationId: "ann@example.com",
      senderId: "ann@example.com",
      senderName: "Ann",
      threadId: "one@example.com",
      messageId: "one@example.com",
      content: "Subject: Grüße 🎉\n\nWhat is 6 × 7?",
      metadata: { subject: "Grüße 🎉" },
      sentAt: new Date("2026-05-03T10:00:00Z"),
    });
    const [id] = await run.answer("It is **42**.");
    expect(mail.smtp.received).toHaveLength(1);
    const [answer] = mail.smtp.received;
    expect(answer).toMatchObject({ from: "talon@example.com", to: ["ann@example.com"] });
    expect(answer?.mail).toMatchObject({
      from: { name: "Talon", address: "talon@example.com" },
      to: [{ name: "", address: "ann@example.com" }],
      subject: "Re: Grüße 🎉",
      inReplyTo: "<one@example.com>",
      references: "<one@example.com>",
      messageId: `<${id}>`,
      text: "It is **42**.\n",
    });
    expect(answer?.mail.html).toContain("<strong>42</strong>");
    expect(answer?.source).toContain("Auto-Submitted: auto-replied\r\n");

    await mail.write({
      subject: "Re: Re: Grüße 🎉",
      text: `And 7 × 8?\n\nOn Sunday, Talon <talon@example.com> wrote:\n> It is 42.`,
      messageId: "<two@example.com>",
      inReplyTo: `<${id}>`,
    });
    await vi.waitFor(() => expect(run.messages).toHaveLength(2), patient);
    expect(run.messages[1]).toMatchObject({ threadId: "one@example.com", content: "And 7 × 8?" });
    await run.answer("56");
    expect(mail.smtp.received[1]?.mail).toMatchObject({
      subject: "Re: Grüße 🎉",
      inReplyTo: "<two@example.com>",
      references: `<${id}> <two@example.com>`,
    });
    expect(mail.imap.mails().every(({ flags }) => flags.has("\\Seen"))).toBe(true);
  });

  it("keeps its thread over restarts, and where a program answers above an unknown mail", async () => {
    const folder = await makeFolder();
    await using mail = await startMailBench();
    {
      await using run = await runChannel({ ...mail, folder });
      await mail.listening();
      await mail.write({ subject: "Plan", text: "first", messageId: "<r@example.com>" });
      await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    }
    await using run = await runChannel({ ...mail, folder });
    await run.answer("answer", {
      threadId: "r@example.com",
      metadata: { in_reply_to: "r@example.com" },
    });
    expect(mail.smtp.received[0]?.mail).toMatchObject({
      subject: "Re: Plan",
      references: "<r@example.com>",
    });
    await mail.write({
      text: "second",
      references: "<elsewhere@example.com> <r@example.com> <more@example.com>",
      inReplyTo: "<more@example.com>",
    });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    expect(run.messages[0]?.threadId).toBe("r@example.com");
  });

  it("brings files, pictures in the text, and sounds, and takes files along", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    const data = Buffer.from([0, 1, 2, 255]);
    await mail.write({
      text: "see",
      files: [
        { name: "../../etc/plan ü.pdf", mimeType: "application/pdf", data },
        { name: "voice.ogg", mimeType: "audio/ogg", data },
        { name: "smime.p7s", mimeType: "application/pkcs7-signature", data },
      ],
    });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    const files = run.messages[0]?.files ?? [];
    expect(files.map(({ name, mimeType }) => [name, mimeType])).toEqual([
      ["plan ü.pdf", "application/pdf"],
      ["voice.ogg", "audio/ogg"],
    ]);
    expect(Buffer.from(files[0]?.data ?? [])).toEqual(data);
    await run.answer("here", { files: [{ name: "a\r\nX: y.bin", mimeType: "x\r\ny", data }] });
    const [sent] = mail.smtp.received[0]?.mail.attachments ?? [];
    expect(sent).toMatchObject({ filename: "a X: y.bin", mimeType: "application/octet-stream" });
    expect(Buffer.from(sent?.content as ArrayBuffer)).toEqual(data);
  });

  it("says what was left out, when there are too many files, or it is too large", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    const files = Array.from({ length: 35 }, (_, index) => ({
      name: `${index}.png`,
      mimeType: "image/png",
      data: Buffer.from("x"),
    }));
    await mail.write({ text: "many", files });
    mail.imap.deliver(await writeMail({ text: "large", files: files.slice(0, 3) }), 10 ** 9);
    await vi.waitFor(() => expect(run.messages).toHaveLength(2), patient);
    const [many, large] = run.messages;
    expect(many?.files).toHaveLength(32);
    expect(many?.content).toMatch(/^many\n\n\[3 files of this mail were left out/);
    expect(large?.files?.map(({ name }) => name)).toEqual(["0.png", "1.png"]);
    expect(large?.content).toBe("large\n\n[this mail is too large; its end was left out]");
  });

  it("of HTML alone is text, without what it answers", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    await mail.write({
      html: "<p>Yes &amp; no</p><div>On Sun, Talon &lt;talon@example.com&gt; wrote:<blockquote>old</blockquote></div>",
      inReplyTo: "<x@example.com>",
    });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    expect(run.messages[0]?.content).toBe("Yes & no");
  });

  it("that is passed on, or only quotes, keeps what it passes on", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    const forwarded = "Please sum up.\n\n---------- Forwarded message ---------\nFrom: Bob\n\nNews";
    await mail.write({ subject: "Fwd: News", text: forwarded, inReplyTo: "<x@example.com>" });
    await mail.write({ text: "> only this", inReplyTo: "<y@example.com>" });
    await vi.waitFor(() => expect(run.messages).toHaveLength(2), patient);
    expect(run.messages[0]?.content).toContain(forwarded);
    expect(run.messages[1]?.content).toBe("> only this");
  });

  it("is a command, a subject alone, or a yes, as it was written", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    await mail.write({ subject: "Hi", text: "/help" });
    await mail.write({ subject: "What time is it?", text: "" });
    await mail.write({
      subject: "Re: x",
      text: "Yes\n\nSent from my iPhone",
      inReplyTo: "<q@x.y>",
    });
    await vi.waitFor(() => expect(run.messages).toHaveLength(3), patient);
    expect(run.messages.map(({ content }) => content)).toEqual([
      "/help",
      "What time is it?",
      "Yes",
    ]);
  });

  it("that is nothing but a thumb is feedback on the mail it answers", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    await mail.write({ text: "question" });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    const [id = ""] = await run.answer("an answer");
    await mail.write({
      text: "👍🏽\n\n-- \nAnn",
      inReplyTo: `<${id}>`,
      messageId: "<t@example.com>",
    });
    const raw =
      'Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nAnn reacted\r\n--b\r\nContent-Type: text/vnd.google.email-reaction+json; charset=utf-8\r\n\r\n{"emoji":"👎","version":1}\r\n--b--\r\n';
    await mail.write({ inReplyTo: `<${id}>`, raw });
    await vi.waitFor(() => expect(run.messages).toHaveLength(3), patient);
    expect(run.messages[1]).toMatchObject({
      content: "",
      messageId: "t@example.com",
      metadata: { reaction: "👍🏽", reaction_to: id },
    });
    expect(run.messages[2]).toMatchObject({
      content: "",
      files: [],
      metadata: { reaction: "👎", reaction_to: id },
    });
  });

  it("without a Message-ID has an identity all the same", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    await mail.write({ text: "odd", messageId: null });
    await mail.write({ text: "long", messageId: `<${"x".repeat(300)}@example.com>` });
    await vi.waitFor(() => expect(run.messages).toHaveLength(2), patient);
    expect(run.messages[0]?.messageId).toMatch(/^uid-[0-9a-f]{64}$/);
    expect(run.messages[1]?.messageId).toMatch(/^sha256-[0-9a-f]{64}$/);
    await run.answer("answer");
    expect(mail.smtp.received[0]?.mail.inReplyTo).toBe(`<${"x".repeat(300)}@example.com>`);
  });
});

describe("what is not answered", () => {
  const report =
    "multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nfailed\r\n--b--\r\n";

  it.each<[string, WrittenMail, string]>([
    ["our own", { from: "talon@example.com" }, "it is our own"],
    ["our own, with a tag", { from: "Talon+x@example.com" }, "it is our own"],
    [
      "automatic",
      { headers: [proven, "Auto-Submitted: auto-replied"] },
      "it was sent by a program",
    ],
    ["bulk", { headers: [proven, "Precedence: bulk"] }, "it is bulk mail"],
    ["of a list", { headers: [proven, "List-Id: <l.example.com>"] }, "it came over a mailing list"],
    ["without a way back", { headers: ["Return-Path: <>", proven] }, "it is a delivery report"],
    ["a report", { raw: `Content-Type: ${report}` }, "it is a delivery report"],
    ["of a machine", { from: "MAILER-DAEMON@example.com" }, "its sender takes no answers"],
    ["of nobody", { from: "shop-noreply@example.com" }, "its sender takes no answers"],
    [
      "silent",
      { headers: [proven, "X-Auto-Response-Suppress: All"] },
      "it asks not to be answered",
    ],
    ["a copy", { to: "bob@example.com", cc: "talon@example.com" }, "it is only a copy"],
    ["not to us", { to: "bob@example.com" }, "it is not addressed to us"],
    ["of several", { from: "ann@example.com, bob@example.com" }, "it does not name exactly one"],
    ["of two", { headers: [proven, "From: eve@evil.example"] }, "it does not name exactly one"],
    ["forged", { headers: [provenBy("evil.example")] }, "its sender ann@example.com is not proven"],
    ["unproven", { headers: [] }, "it has no Authentication-Results of mx.example.com"],
    [
      "a lie",
      { headers: [provenBy("example.com", "mx.evil.example")] },
      "it has no Authentication",
    ],
    ["empty", { text: " " }, "it is empty"],
  ])("is mail that is %s", async (_kind, written, reason) => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    const uid = await mail.write({ text: "hello", ...written });
    await mail.write({ text: "a good one" });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    expect(run.messages[0]?.content).toBe("a good one");
    expect(run.log.join("\n")).toContain(`mail ${uid} `);
    expect(run.log.join("\n")).toContain(`is not answered: ${reason}`);
    expect(mail.isRead(uid)).toBe(false);
  });

  it("is what comes too often", async () => {
    await using mail = await startMailBench();
    let nowMs = 1_000_000;
    const config = { ...mail.config, max_mails_per_hour: 2 };
    await using run = await runChannel({ config, now: () => nowMs });
    await mail.listening();
    const inThread = { references: "<root@example.com>" };
    for (let count = 0; count < 3; count += 1) await mail.write({ ...inThread, text: `${count}` });
    for (let count = 3; count < 9; count += 1) await mail.write({ text: `${count}` });
    await vi.waitFor(
      () => expect(run.log.filter((line) => line.includes("too many"))).toHaveLength(3),
      patient,
    );
    expect(run.messages.map(({ content }) => content)).toEqual(["0", "1", "3", "4", "5", "6"]);
    nowMs += 3_600_001;
    await mail.write({ ...inThread, text: "an hour later" });
    await vi.waitFor(() => expect(run.messages).toHaveLength(7), patient);
  });

  it("is a mail to several people, unless it is addressed to us; then only its sender is answered", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel({
      config: { ...mail.config, aliases: ["help@example.com"] },
    });
    await mail.listening();
    await mail.write({
      to: "Help <HELP+a@Example.com>, bob@example.com",
      cc: "eve@example.com",
      text: "to us",
    });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    expect(run.messages[0]?.metadata?.["is_group"]).toBe("true");
    await run.answer("answer");
    expect(mail.smtp.received[0]?.to).toEqual(["ann@example.com"]);
    expect(mail.smtp.received[0]?.source).not.toContain("bob@example.com");
  });
});

describe("an answer", () => {
  it.each([
    ["in the sender's own domain", "ann.lee@example.com", {}, "ann.lee@example.com"],
    ["elsewhere", "eve@evil.example", {}, "ann@example.com"],
    ["to several", "ann.lee@example.com, eve@example.com", {}, "ann@example.com"],
    [
      "of a sender who is not proven",
      "ann.lee@example.com",
      { require_authentication: false, authserv_id: undefined },
      "ann@example.com",
    ],
  ])("goes where Reply-To says: %s", async (_where, replyTo, config, expected) => {
    await using mail = await startMailBench();
    await using run = await runChannel({ config: { ...mail.config, ...config } });
    await mail.listening();
    await mail.write({ text: "hi", headers: [proven, `Reply-To: ${replyTo}`] });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    await run.answer("answer");
    expect(mail.smtp.received[0]?.to).toEqual([expected]);
  });

  it("has no headers and no receivers but its own, whatever stands in the mail or the address", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    const encoded = Buffer.from("Hi\r\nBcc: eve@evil.example\r\n\r\nbody").toString("base64");
    await mail.write({
      text: "hi",
      messageId: null,
      headers: [
        proven,
        `Subject: =?utf-8?B?${encoded}?=`,
        "Message-ID: <a b>",
        "References: <x\u0001@e.com> <ok@example.com> <a>b>",
      ],
    });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    await run.answer("text\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n.\r\n");
    expect(mail.smtp.received).toHaveLength(1);
    const { headers } = mail.smtp.received[0]?.mail ?? { headers: [] };
    const keys = headers.map(({ key }) => key);
    expect(keys).not.toContain("bcc");
    expect(keys.filter((key) => key === "subject")).toHaveLength(1);
    expect(mail.smtp.received[0]?.mail.subject).toBe("Re: Hi Bcc: eve@evil.example body");
    expect(mail.smtp.received[0]?.mail.references).toBe("<ok@example.com> <a>");
    for (const conversationId of [
      "ann@example.com\r\nBcc: eve@evil.example",
      "ann@example.com, eve@evil.example",
      "ann@example.com> SIZE=1\r\nRCPT TO:<eve@evil.example",
      "Ann <ann@example.com>",
      "",
    ]) {
      const sending = run.answer("x", { conversationId, threadId: "t", metadata: {} });
      await expect(sending).rejects.toThrow("nobody can be written to at");
    }
    expect(mail.smtp.received).toHaveLength(1);
  });

  it("nobody asked for is a mail of its own; what is said to it joins the same thread", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    const [id] = await run.answer("Stand up!", { metadata: {}, deliveryId: "" });
    expect(mail.smtp.received[0]?.mail).toMatchObject({ subject: "A message from Talon" });
    expect(mail.smtp.received[0]?.source).toContain("Auto-Submitted: auto-generated\r\n");
    await mail.write({ text: "I do", inReplyTo: `<${id}>` });
    await vi.waitFor(() => expect(run.messages).toHaveLength(1), patient);
    expect(run.messages[0]?.threadId).toBe("");
  });

  it("to a mail that was forgotten still comes after it", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await run.answer("late", { metadata: { in_reply_to: "old@example.com" } });
    expect(mail.smtp.received[0]?.mail).toMatchObject({
      subject: "Re: your mail",
      inReplyTo: "<old@example.com>",
    });
  });

  it("that the server does not take now is not delivered, and tried again is the same mail", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    const send = (): Promise<readonly string[]> => run.answer("hi", { deliveryId: "d#1" });
    mail.smtp.troubleWith({ at: "sender", code: 451, text: "try later" });
    await expect(send()).rejects.toThrow("451 try later");
    mail.smtp.troubleWith({ at: "recipient", code: 550, text: `no such user ${"x".repeat(900)}` });
    const problem = await send().catch((error: unknown) => error as Error);
    expect(problem).not.toBeInstanceOf(UnknownDeliveryError);
    expect(String(problem)).toMatch(/550 no such user x+$/);
    expect(String(problem).length).toBeLessThan(520);
    mail.smtp.troubleWith({ at: "data", code: 552, text: "too big" });
    await expect(send()).rejects.toThrow("552 too big");
    const [id] = await send();
    // What is known to be there is not sent once more.
    expect(await send()).toEqual([id]);
    expect(mail.smtp.received.map(({ mail: { messageId } }) => messageId)).toEqual([`<${id}>`]);
  });

  it("is not delivered when the connection ends inside of it, and of unknown fate after it", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    // More than lies between two sockets.
    const data = Buffer.alloc(20 * 1024 * 1024, 7);
    const files = [{ name: "large.bin", mimeType: "application/octet-stream", data }];
    mail.smtp.troubleWith({ at: "data", kind: "drop-inside" });
    const cut = await run.answer("long", { files }).catch((error: unknown) => error);
    expect(cut).toBeInstanceOf(Error);
    expect(cut).not.toBeInstanceOf(UnknownDeliveryError);
    mail.smtp.troubleWith({ at: "data", kind: "drop-after" });
    await expect(run.answer("short")).rejects.toBeInstanceOf(UnknownDeliveryError);
    mail.smtp.troubleWith({ at: "data", kind: "hang-after" });
    const giveUp = new AbortController();
    const message = {
      conversationId: "ann@example.com",
      threadId: "",
      deliveryId: "d9",
      files: [],
    };
    const hanging = Promise.resolve(
      run.channel.send({ ...message, content: "x", metadata: {} }, { signal: giveUp.signal }),
    );
    await vi.waitFor(() => expect(mail.smtp.received).toHaveLength(2), patient);
    giveUp.abort();
    await expect(hanging).rejects.toBeInstanceOf(UnknownDeliveryError);
    await vi.waitFor(() => expect(mail.smtp.connections()).toBe(0), patient);
  });

  it("goes over the connection of the one before, and over a new one where that has ended", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    for (const text of ["one", "two", "three"]) await run.answer(text);
    expect(mail.smtp.greeted()).toBe(1);
    mail.smtp.dropConnections();
    await run.answer("four");
    expect(mail.smtp.greeted()).toBe(2);
    mail.smtp.troubleWith({ at: "sender", code: 421, text: "you were idle" });
    await run.answer("five");
    expect(mail.smtp.greeted()).toBe(3);
    mail.smtp.troubleWith({ at: "data", kind: "drop-after" });
    await expect(run.answer("six")).rejects.toBeInstanceOf(UnknownDeliveryError);
    expect(mail.smtp.greeted()).toBe(3);
    await run.answer("seven");
    expect(mail.texts()).toEqual(["one", "two", "three", "four", "five", "six", "seven"]);
    await run.stop();
    await vi.waitFor(() => expect(mail.smtp.connections()).toBe(0), patient);
    await run.answer("eight");
    await vi.waitFor(() => expect(mail.smtp.connections()).toBe(0), patient);
  });

  it("is delivered also when it cannot be noted", async () => {
    await using bench = await startMailBench();
    const folder = await makeFolder();
    await using channel = await runChannel({ config: bench.config, folder });
    using disk = new DatabaseSync(join(folder, "mail.sqlite"));
    disk.exec(
      "CREATE TRIGGER full BEFORE INSERT ON mails BEGIN SELECT RAISE(FAIL, 'disk is full'); END",
    );
    const [name] = await channel.answer("Here it is.");
    expect(name).toMatch(/@example\.com$/);
    expect(bench.texts()).toEqual(["Here it is."]);
    expect(channel.log).toContainEqual(expect.stringContaining("disk is full"));
  });

  it("is not delivered by a server that is away or refuses the password, which is not repeated", async () => {
    await using mail = await startMailBench({ smtp: { password: "another secret" } });
    await using run = await runChannel(mail);
    const refused = await run.answer("hi").catch((error: unknown) => String(error));
    expect(refused).toContain("535");
    expect(refused).toContain("***");
    expect(refused).not.toContain("pass word");
    await mail.smtp[Symbol.asyncDispose]();
    await expect(run.answer("hi")).rejects.toThrow("ECONNREFUSED");
  });
});
