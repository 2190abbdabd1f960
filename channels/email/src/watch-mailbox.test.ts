import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { type MailBench, startMailBench } from "./testing/mail-bench.ts";
import { runChannel } from "./testing/run-channel.ts";
import { writeMail } from "./testing/written-mail.ts";

const patient = { timeout: 10_000, interval: 5 };

async function makeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** So that all that comes from now on is read. */
async function listenOnce(mail: MailBench, folder: string): Promise<void> {
  await using _run = await runChannel({ ...mail, folder });
  await mail.listening();
}

const contents = (run: { messages: readonly { content: string }[] }): readonly string[] =>
  run.messages.map(({ content }) => content);

describe("a mailbox", () => {
  it("is read from the first start on, and then over restarts without a gap", async () => {
    const folder = await makeFolder();
    await using mail = await startMailBench();
    mail.imap.deliver(await writeMail({ text: "long ago" }));
    {
      await using run = await runChannel({ ...mail, folder });
      await mail.listening();
      await mail.write({ text: "one" });
      await vi.waitFor(() => expect(contents(run)).toEqual(["one"]), patient);
    }
    await mail.write({ text: "two" });
    await mail.write({ text: "three" });
    await using run = await runChannel({ ...mail, folder });
    await vi.waitFor(() => expect(contents(run)).toEqual(["two", "three"]), patient);
    for (const name of await readdir(folder))
      expect((await stat(join(folder, name))).mode & 0o077).toBe(0);
  });

  it("brings a mail again that was not taken, first after the next start", async () => {
    const folder = await makeFolder();
    await using mail = await startMailBench();
    {
      const receive = async (): Promise<void> => {
        throw new Error("the channel is being stopped");
      };
      await using run = await runChannel({ ...mail, folder, receive });
      await mail.listening();
      const uid = await mail.write({ text: "one" });
      await vi.waitFor(() => expect(run.log.join()).toContain("being stopped"), patient);
      expect(mail.isRead(uid)).toBe(false);
    }
    await mail.write({ text: "two" });
    await using run = await runChannel({ ...mail, folder });
    await vi.waitFor(() => expect(contents(run)).toEqual(["one", "two"]), patient);
  });

  it("is read on when connections are lost, in the middle of a mail too, or the server is away", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    mail.imap.breakFetches(2);
    await mail.write({ text: "one" });
    await vi.waitFor(() => expect(contents(run)).toEqual(["one"]), patient);
    mail.imap.dropConnections();
    await mail.write({ text: "two" });
    await vi.waitFor(() => expect(contents(run)).toEqual(["one", "two"]), patient);
    mail.imap.close();
    mail.imap.deliverSilently(await writeMail({ text: "three" }));
    await vi.waitFor(() => expect(run.log.at(-1)).toContain("trying again in"), patient);
    mail.imap.open();
    await vi.waitFor(() => expect(contents(run)).toEqual(["one", "two", "three"]), patient);
  });

  it("that was numbered anew is read from then on", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    for (const text of ["one", "two"]) await mail.write({ text });
    await vi.waitFor(() => expect(contents(run)).toEqual(["one", "two"]), patient);
    mail.imap.renumber();
    await vi.waitFor(() => expect(run.log.join("\n")).toContain("numbered INBOX anew"), patient);
    await mail.write({ text: "three" });
    await vi.waitFor(() => expect(contents(run)).toEqual(["one", "two", "three"]), patient);
  });

  it("of a server that says nothing of new mail is looked into now and then", async () => {
    await using mail = await startMailBench({ imap: { hasIdle: false } });
    await using run = await runChannel({ ...mail, pollIntervalMs: 20 });
    await mail.listening();
    await mail.write({ text: "one" });
    await vi.waitFor(() => expect(contents(run)).toEqual(["one"]), patient);
    expect(mail.imap.commands).not.toContain("IDLE");
  });

  it("is looked into now and then, should the server forget to tell", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel({ ...mail, pollIntervalMs: 20 });
    await mail.listening();
    mail.imap.deliverSilently(await writeMail({ text: "one" }));
    await vi.waitFor(() => expect(contents(run)).toEqual(["one"]), patient);
  });

  it("is read from a server that is slow", async () => {
    await using mail = await startMailBench();
    mail.imap.slowDown(30);
    await using run = await runChannel(mail);
    await mail.listening();
    for (const text of ["one", "two"]) await mail.write({ text });
    await vi.waitFor(() => expect(contents(run)).toEqual(["one", "two"]), patient);
  });

  it("has a mail in its place that is no mail, and goes on", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    mail.imap.deliver(Buffer.from("\u0000\u00ff\r\n\r\n\u00fe"));
    mail.imap.deliver(Buffer.from(`${"X: y\r\n".repeat(200_000)}\r\nbody`));
    mail.imap.deliver("");
    await mail.write({ text: "one" });
    await vi.waitFor(() => expect(contents(run)).toEqual(["one"]), patient);
    expect(run.log.filter((line) => line.includes("is not answered"))).toHaveLength(3);
  });

  it("leaves out a mail that a server makes unreadable, and goes on", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    mail.imap.lieAboutSizes(true);
    const uid = await mail.write({ text: "one" });
    await vi.waitFor(
      () => expect(run.log.join("\n")).toContain(`mail ${uid} is left out`),
      patient,
    );
    mail.imap.lieAboutSizes(false);
    await mail.write({ text: "two" });
    await vi.waitFor(() => expect(contents(run)).toEqual(["two"]), patient);
  });

  it("is read many mails at once, in their order, with large ones between them", async () => {
    const folder = await makeFolder();
    await using mail = await startMailBench();
    await listenOnce(mail, folder);
    const texts = Array.from({ length: 100 }, (_, index) => `mail ${index}`);
    const data = Buffer.alloc(200_000, 7);
    const files = [{ name: "large.bin", mimeType: "application/octet-stream", data }];
    for (const [index, text] of texts.entries())
      await mail.write({ text, files: index % 40 === 1 ? files : [] });
    const before = mail.imap.commands.length;
    await using run = await runChannel({ ...mail, folder });
    await vi.waitFor(() => expect(contents(run)).toEqual(texts), patient);
    expect(run.messages.map(({ files: found = [] }) => found.length).filter(Boolean)).toHaveLength(
      3,
    );
    await vi.waitFor(
      () => expect(mail.imap.mails().every(({ uid }) => mail.isRead(uid))).toBe(true),
      patient,
    );
    const fetches = mail.imap.commands.slice(before).filter((text) => text.includes("FETCH"));
    expect(fetches).toHaveLength(4 + 3);
  });

  it("is read over a break in the middle of many mails, and over one of them that is unreadable", async () => {
    const folder = await makeFolder();
    await using mail = await startMailBench();
    await listenOnce(mail, folder);
    const texts = Array.from({ length: 40 }, (_, index) => `mail ${index}`);
    for (const text of texts) await mail.write({ text });
    mail.imap.lieAboutSizes(true, 11);
    mail.imap.breakFetches(1);
    await using run = await runChannel({ ...mail, folder });
    const readable = texts.filter((_, index) => index !== 10);
    await vi.waitFor(() => expect(contents(run)).toEqual(readable), patient);
    expect(run.log.filter((line) => line.includes("is left out"))).toEqual([
      "mail 11 is left out: what the server sends of it breaks every bound",
    ]);
  });

  it("leaves out a mail that a server has and does not give, once that does not pass", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel(mail);
    await mail.listening();
    mail.imap.withhold("first words", 3);
    await mail.write({ text: "first words" });
    await vi.waitFor(() => expect(contents(run)).toEqual(["first words"]), patient);
    mail.imap.withhold("second words", 1_000);
    const uid = await mail.write({ text: "second words" });
    await mail.write({ text: "third words" });
    await vi.waitFor(() => expect(contents(run)).toEqual(["first words", "third words"]), patient);
    expect(run.log).toContain(
      `mail ${uid} is left out: the server does not give it: Internal error occurred`,
    );
    expect(mail.isRead(uid)).toBe(false);
  });

  it("moves what was handed over, where that is wanted", async () => {
    await using mail = await startMailBench({ imap: { folders: ["INBOX", "Done"] } });
    await using run = await runChannel({ config: { ...mail.config, move_to: "Done" } });
    await mail.listening();
    await mail.write({ text: "one" });
    await vi.waitFor(() => expect(mail.imap.mails()[0]?.folder).toBe("Done"), patient);
    expect(contents(run)).toEqual(["one"]);
  });

  it("is not lost when what was handed over cannot be moved", async () => {
    await using mail = await startMailBench();
    await using run = await runChannel({ config: { ...mail.config, move_to: "Done" } });
    await mail.listening();
    for (const text of ["one", "two"]) await mail.write({ text });
    await vi.waitFor(() => expect(contents(run)).toEqual(["one", "two"]), patient);
    await vi.waitFor(
      () => expect(run.log.join("\n")).toContain("could not be marked or moved"),
      patient,
    );
  });

  it("that refuses the password, or has no such folder, ends the channel with a reason", async () => {
    await using mail = await startMailBench({ imap: { password: "another" } });
    await using run = await runChannel(mail);
    const problem = String(await run.ended);
    expect(problem).toContain(
      "the IMAP server 127.0.0.1 refused talon@example.com: Invalid credentials; check config.user and the password",
    );
    expect(problem).not.toContain("pass word");
    await using other = await startMailBench();
    await using lost = await runChannel({ config: { ...other.config, folder: "Nowhere" } });
    expect(String(await lost.ended)).toContain("there is no folder Nowhere in the mailbox");
  });

  it("that cannot let anybody in for now is tried again", async () => {
    await using mail = await startMailBench();
    mail.imap.refuseLogins("[UNAVAILABLE] come back later");
    await using run = await runChannel(mail);
    await vi.waitFor(() => expect(run.log.join("\n")).toContain("come back later"), patient);
    mail.imap.refuseLogins(undefined);
    await mail.listening();
    await mail.write({ text: "one" });
    await vi.waitFor(() => expect(contents(run)).toEqual(["one"]), patient);
  });
});
