import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createManualClock, type ManualClock } from "../base/clock.ts";
import type { InboundMessage, OutboundMessage } from "../domain/message.ts";
import type { TranscriptFile, TranscriptMessage } from "../domain/session.ts";
import type { UsageRow } from "../domain/usage.ts";
import type { StoreOptions } from "./create-store.ts";
import { defaultStoreLimits, type InboxEntry, type Store, type TurnCommit } from "./ports.ts";

/** Somewhere a store can be opened again and again: a directory, a database. */
export interface StorePlace {
  readonly open: (options: StoreOptions) => Promise<Store>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export function createMessage(id: string, changes: Partial<InboundMessage> = {}): InboundMessage {
  return {
    channel: "console",
    channelKind: "console",
    platformMessageId: id,
    conversationId: "room",
    threadId: "",
    senderId: "ada",
    senderName: "Ada",
    content: `text of ${id}`,
    files: [],
    metadata: {},
    sentAtMs: 1,
    ...changes,
  };
}

export function createReply(
  content: string,
  changes: Partial<OutboundMessage> = {},
): OutboundMessage {
  return {
    channel: "console",
    conversationId: "room",
    threadId: "",
    content,
    files: [],
    metadata: {},
    ...changes,
  };
}

function createUsage(changes: Partial<UsageRow> = {}): UsageRow {
  return {
    sessionKey: "console:room",
    actor: "console:ada",
    channel: "console",
    model: "fake/model",
    inputTokens: 10,
    outputTokens: 5,
    toolCalls: 1,
    inputCost: 0.25,
    outputCost: 0.5,
    ...changes,
  };
}

const user = (content: string): TranscriptMessage => ({ role: "user", content });
const assistant = (content: string): TranscriptMessage => ({
  role: "assistant",
  content,
  toolCalls: [],
});
const strangeText = "nul \0, half \uD800 pair, \u{1F680}, e\u0301, \u202E, line\r\nbreak";

/** What every engine promises. */
export function describeStore(name: string, createPlace: () => Promise<StorePlace>): void {
  describe(`${name} keeps the promises of a store:`, () => {
    let place: StorePlace;
    let clock: ManualClock;
    let store: Store;

    const open = (limits: Partial<typeof defaultStoreLimits> = {}): Promise<Store> => {
      return place.open({ clock, limits: { ...defaultStoreLimits, ...limits } });
    };
    const reopen = async (): Promise<void> => {
      await store[Symbol.asyncDispose]();
      store = await open();
    };
    const accept = async (
      id: string,
      changes: Partial<InboundMessage> = {},
    ): Promise<InboxEntry> => {
      const outcome = await store.inbox.accept(createMessage(id, changes), "console:room");
      if (outcome.kind !== "accepted") throw new Error(`${id} is a ${outcome.kind}`);
      return outcome.entry;
    };
    const commit = (entry: InboxEntry, changes: Partial<TurnCommit> = {}) => {
      return store.commitTurn({
        entry,
        reply: createReply("hi"),
        session: { appended: [] },
        usage: [],
        ...changes,
      });
    };
    const send = async (id: string) => {
      const delivery = await commit(await accept(id));
      if (delivery === undefined) throw new Error("no delivery");
      return delivery;
    };

    beforeEach(async () => {
      place = await createPlace();
      clock = createManualClock();
      store = await open();
    });
    afterEach(async () => {
      await store[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    });

    describe("inbox", () => {
      it("takes an identity once, also beside itself, after a restart and after it was answered", async () => {
        const twice = await Promise.all(
          [1, 2].map(() => store.inbox.accept(createMessage("a"), "console:room")),
        );
        expect(twice.map((outcome) => outcome.kind).toSorted()).toEqual(["accepted", "duplicate"]);
        await reopen();
        expect(await store.inbox.accept(createMessage("a"), "console:room")).toEqual({
          kind: "duplicate",
        });
        const [entry] = await store.inbox.takeOver();
        await commit(entry as InboxEntry);
        await reopen();
        expect(await store.inbox.accept(createMessage("a"), "console:room")).toEqual({
          kind: "duplicate",
        });
      });

      it("tells the same message id of two channels apart, however the names are cut", async () => {
        const kinds = [
          await store.inbox.accept(createMessage("bc", { channel: "a" }), "k"),
          await store.inbox.accept(createMessage("c", { channel: "ab" }), "k"),
          await store.inbox.accept(createMessage("x\0"), "k"),
          await store.inbox.accept(createMessage("x\uFFFD"), "k"),
          await store.inbox.accept(createMessage(`${"long".repeat(2_000)}1`), "k"),
          await store.inbox.accept(createMessage(`${"long".repeat(2_000)}2`), "k"),
        ].map((outcome) => outcome.kind);
        expect(kinds).toEqual(Array(6).fill("accepted"));
      });

      it("hands what is unanswered to the next process in the order of acceptance, with a higher attempt", async () => {
        const accepted = await Promise.all(
          Array.from({ length: 50 }, (_, index) => accept(`m${index}`)),
        );
        clock.advance(-5_000);
        accepted.push(await accept("after the clock was set back"));
        expect(await store.inbox.takeOver()).toEqual([]);
        await commit(accepted[7] as InboxEntry);
        const expected = accepted.filter((_, index) => index !== 7);

        await reopen();
        expect(await store.inbox.takeOver()).toEqual(
          expected.map((entry) => ({ ...entry, attempt: 2 })),
        );
        expect(await store.inbox.takeOver()).toEqual([]);
        const late = await accept("late");
        await reopen();
        const third = await store.inbox.takeOver();
        expect(third).toEqual([
          ...expected.map((entry) => ({ ...entry, attempt: 3 })),
          { ...late, attempt: 2 },
        ]);
      });

      it("brings a message back as it came: files, metadata and strange text included", async () => {
        const every = Uint8Array.from({ length: 256 }, (_, index) => index);
        const message = createMessage("strange", {
          content: strangeText,
          senderName: strangeText,
          threadId: strangeText,
          metadata: { [strangeText]: strangeText },
          files: [
            { name: strangeText, mimeType: "a/b", data: every },
            { name: "empty", mimeType: "", data: new Uint8Array() },
            { name: "last", mimeType: "c/d", data: every.toReversed() },
          ],
        });
        await store.inbox.accept(message, strangeText);
        await reopen();
        const [entry] = await store.inbox.takeOver();
        expect(entry?.sessionKey).toBe(strangeText);
        expect(entry?.message).toEqual(message);
      });

      it("refuses beyond the bound until something is answered, also after a restart", async () => {
        await store[Symbol.asyncDispose]();
        store = await open({ maxPending: 2 });
        const first = await accept("1");
        await accept("2");
        await expect(accept("3")).rejects.toMatchObject({ code: "STORE_INBOX_FULL" });
        expect(await store.inbox.pending()).toBe(2);
        await commit(first);
        expect(await store.inbox.pending()).toBe(1);
        expect((await store.inbox.accept(createMessage("1"), "k")).kind).toBe("duplicate");
        await accept("3");
        await store[Symbol.asyncDispose]();
        store = await open({ maxPending: 2 });
        expect(await store.inbox.pending()).toBe(2);
        await expect(accept("4")).rejects.toMatchObject({ code: "STORE_INBOX_FULL" });
      });

      it("bounds the bytes that wait, files included, also after a restart", async () => {
        await store[Symbol.asyncDispose]();
        const limits = { maxPendingBytes: 8_000 };
        store = await open(limits);
        const data = new Uint8Array(3_000);
        const files = [{ name: "a", mimeType: "text/plain", data }];
        const first = await accept("1", { files });
        await accept("2", { content: "é".repeat(1_500) });
        const third = { content: "x".repeat(3_000) };
        await expect(accept("3", third)).rejects.toMatchObject({
          code: "STORE_INBOX_FULL",
          message: expect.stringMatching(/^2 messages .* wait for an answer/) as string,
        });
        await accept("small");
        await store[Symbol.asyncDispose]();
        store = await open(limits);
        await expect(accept("3", third)).rejects.toMatchObject({ code: "STORE_INBOX_FULL" });
        const [entry] = await store.inbox.takeOver();
        expect(entry?.id).toBe(first.id);
        await expect(accept("3", third)).rejects.toMatchObject({ code: "STORE_INBOX_FULL" });
        await commit(entry as InboxEntry);
        await accept("3", third);
      });

      it("takes over more than it reads at once, in order, and once", async () => {
        const ids = Array.from({ length: 150 }, (_, index) => `m${index}`);
        for (const id of ids) await accept(id);
        await reopen();
        await accept("new");
        const entries = await store.inbox.takeOver();
        expect(entries.map(({ message }) => message.platformMessageId)).toEqual(ids);
        expect(entries.every(({ attempt }) => attempt === 2)).toBe(true);
        expect(await store.inbox.takeOver()).toEqual([]);
      });

      it("holds the bound against a burst", async () => {
        await store[Symbol.asyncDispose]();
        store = await open({ maxPending: 10 });
        const burst = await Promise.allSettled(
          Array.from({ length: 30 }, (_, index) => accept(`m${index}`)),
        );
        expect(burst.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(10);
      });
    });

    describe("journal", () => {
      it("gives the steps back in the order they were begun, also after a restart", async () => {
        const { id } = await accept("a");
        await store.journal.record(id, "prepare", { text: strangeText });
        await store.journal.begin(id, "tool:1");
        await store.journal.begin(id, "tool:2");
        await store.journal.record(id, "tool:2", [1, null, { deep: true }]);
        clock.advance(-60_000);
        await reopen();
        await store.inbox.takeOver();
        await store.journal.record(id, "model:2", "last");
        expect(await store.journal.load(id)).toEqual([
          { step: "prepare", state: "recorded", value: { text: strangeText } },
          { step: "tool:1", state: "started", value: undefined },
          { step: "tool:2", state: "recorded", value: [1, null, { deep: true }] },
          { step: "model:2", state: "recorded", value: "last" },
        ]);
      });

      it("keeps the first record of a step, and a beginning changes none", async () => {
        const { id } = await accept("a");
        await store.journal.record(id, "step", "first");
        await store.journal.record(id, "step", "second");
        await store.journal.begin(id, "step");
        expect(await store.journal.load(id)).toEqual([
          { step: "step", state: "recorded", value: "first" },
        ]);
      });

      it("keeps turns apart, and steps of any name", async () => {
        const [one, two] = [await accept("a"), await accept("b")];
        const names = [strangeText, strangeText.toWellFormed(), "long ".repeat(1_000), ""];
        for (const step of names) await store.journal.begin(one.id, step);
        await store.journal.begin(two.id, "other");
        expect((await store.journal.load(one.id)).map(({ step }) => step)).toEqual(names);
        expect(await store.journal.load(two.id)).toHaveLength(1);
        expect(await store.journal.load("unknown")).toEqual([]);
      });

      it("takes nothing more for a turn that was answered", async () => {
        const entry = await accept("a");
        await commit(entry);
        await expect(store.journal.begin(entry.id, "late")).rejects.toMatchObject({
          code: "STORE_FENCED",
        });
        await expect(store.journal.record(entry.id, "late", 1)).rejects.toMatchObject({
          code: "STORE_FENCED",
        });
        expect(await store.journal.load(entry.id)).toEqual([]);
      });
    });

    describe("commit of a turn", () => {
      it("changes everything at once", async () => {
        const entry = await accept("a");
        await store.journal.record(entry.id, "model", "reply");
        const delivery = await commit(entry, {
          reply: createReply(strangeText, {
            files: [{ name: "f", mimeType: "t", data: Uint8Array.of(0, 255) }],
          }),
          session: { appended: [user("question"), assistant("answer")], pinnedModel: "fake/model" },
          usage: [createUsage(), createUsage({ model: "fake/other" })],
        });
        expect(delivery).toMatchObject({
          turnId: entry.id,
          sessionKey: entry.sessionKey,
          state: "waiting",
          attempts: 0,
        });
        await reopen();
        expect(await store.inbox.takeOver()).toEqual([]);
        expect(await store.journal.load(entry.id)).toEqual([]);
        expect(await store.outbox.waiting()).toEqual([delivery]);
        expect(await store.sessions.load(entry.sessionKey, 0)).toEqual({
          key: entry.sessionKey,
          messages: [user("question"), assistant("answer")],
          pinnedModel: "fake/model",
        });
        expect(await store.usage.total({})).toEqual({
          inputTokens: 20,
          outputTokens: 10,
          cachedInputTokens: 0,
          reasoningTokens: 0,
          cost: 1.5,
        });
      });

      it("changes nothing when one part fails", async () => {
        const entry = await accept("a");
        await store.journal.begin(entry.id, "model");
        const broken = commit(entry, {
          session: { appended: [user("question")], cleared: true, pinnedModel: "fake/model" },
          usage: [createUsage(), createUsage({ inputCost: Number.NaN })],
        });
        await expect(broken).rejects.toThrow(/inputCost/);
        expect(await store.outbox.waiting()).toEqual([]);
        expect(await store.journal.load(entry.id)).toHaveLength(1);
        expect(await store.sessions.load(entry.sessionKey, 0)).toMatchObject({
          messages: [],
          pinnedModel: "",
        });
        expect(await store.usage.total({})).toMatchObject({
          inputTokens: 0,
          outputTokens: 0,
          cost: 0,
        });
        expect(await store.inbox.pending()).toBe(1);
        expect(await commit(entry)).toBeDefined();
      });

      it("is refused when the turn was taken over, and leaves it to the new owner", async () => {
        const old = await accept("a");
        await reopen();
        const [entry] = (await store.inbox.takeOver()) as [InboxEntry];
        const late = commit(old, { session: { appended: [user("late")] } });
        await expect(late).rejects.toMatchObject({ code: "STORE_FENCED" });
        expect((await store.sessions.load(old.sessionKey, 0)).messages).toEqual([]);
        expect(await store.inbox.pending()).toBe(1);
        expect(await commit(entry)).toBeDefined();
        expect(await store.inbox.pending()).toBe(0);
      });

      it("answers a repeat with what the first one did, and does it once", async () => {
        const entry = await accept("a");
        const session = { appended: [user("question")] };
        const first = await commit(entry, { session });
        expect(await commit(entry, { session, reply: createReply("other words") })).toEqual(first);
        expect((await store.sessions.load(entry.sessionKey, 0)).messages).toHaveLength(1);
        expect(await store.outbox.waiting()).toHaveLength(1);
      });

      it("answers several messages with one reply, all of them or none", async () => {
        const [first, second] = [await accept("a"), await accept("b")];
        const third = await accept("c");
        const session = { appended: [user("a and b")] };
        const late = { ...second, attempt: second.attempt + 1 };
        await expect(commit(first, { session, alsoAnswered: [late] })).rejects.toMatchObject({
          code: "STORE_FENCED",
        });
        expect(await store.inbox.pending()).toBe(3);
        expect(await store.outbox.waiting()).toEqual([]);
        const delivery = await commit(first, { session, alsoAnswered: [second] });
        expect(await commit(first, { session, alsoAnswered: [second] })).toEqual(delivery);
        expect(await store.inbox.pending()).toBe(1);
        await reopen();
        expect((await store.inbox.takeOver()).map(({ id }) => id)).toEqual([third.id]);
        expect(await store.outbox.waiting()).toHaveLength(1);
        expect((await store.sessions.load(first.sessionKey, 0)).messages).toHaveLength(1);
      });

      it("delivers nothing when there is nothing to say", async () => {
        expect(await commit(await accept("a"), { reply: undefined })).toBeUndefined();
        expect(await store.outbox.waiting()).toEqual([]);
        expect(await store.inbox.pending()).toBe(0);
      });
    });

    describe("sessions", () => {
      const append = async (id: string, ...appended: TranscriptMessage[]) => {
        await commit(await accept(id), { session: { appended } });
      };

      it("start empty and give the newest messages, oldest first", async () => {
        const empty = { key: "console:room", messages: [], pinnedModel: "" };
        expect(await store.sessions.load("console:room", 10)).toEqual(empty);
        await append("a", user("1"), assistant("2"));
        await append("b", user("3"), assistant("4"));
        const load = async (count: number) =>
          (await store.sessions.load("console:room", count)).messages;
        expect(await load(3)).toEqual([assistant("2"), user("3"), assistant("4")]);
        expect(await load(1)).toEqual([assistant("4")]);
        expect(await load(0)).toHaveLength(4);
        expect(await load(99)).toHaveLength(4);
        expect((await store.sessions.load("console:other", 0)).messages).toEqual([]);
      });

      it("keep tool calls and their results", async () => {
        const messages: TranscriptMessage[] = [
          {
            role: "assistant",
            content: "",
            toolCalls: [
              { id: "1", name: "a__b", arguments: { deep: [{ text: strangeText }] } },
              { id: "2", name: "c", arguments: {}, invalidArguments: "{not json" },
            ],
          },
          { role: "tool", callId: "1", tool: "a__b", content: "ok", isError: false },
          { role: "tool", callId: `2${strangeText}`, tool: "c", content: "no", isError: true },
        ];
        await append("a", ...messages);
        expect((await store.sessions.load("console:room", 0)).messages).toEqual(messages);
      });

      it("replace what no text column can hold by U+FFFD", async () => {
        await append("a", user(strangeText));
        const [message] = (await store.sessions.load("console:room", 0)).messages;
        expect(message?.content).toBe(
          strangeText.replace("\0", "\uFFFD").replace("\uD800", "\uFFFD"),
        );
      });

      it("forget on demand, before what is appended", async () => {
        await append("a", user("old"), assistant("older"));
        const entry = await accept("b");
        await commit(entry, { session: { appended: [user("new")], cleared: true } });
        await append("c", user("newer"));
        expect((await store.sessions.load("console:room", 0)).messages).toEqual([
          user("new"),
          user("newer"),
        ]);
      });

      it("keep a pin until it is changed or removed", async () => {
        const pin = async (id: string, pinnedModel: string | undefined) => {
          await commit(await accept(id), { session: { appended: [], pinnedModel } });
          return (await store.sessions.load("console:room", 0)).pinnedModel;
        };
        expect(await pin("a", "one/model")).toBe("one/model");
        expect(await pin("b", undefined)).toBe("one/model");
        expect(await pin("c", "other/model")).toBe("other/model");
        expect(await pin("d", "")).toBe("");
      });

      it("take a key of any length and any characters", async () => {
        for (const [index, key] of [strangeText, "long ".repeat(2_000)].entries()) {
          const outcome = await store.inbox.accept(createMessage(`k${index}`), key);
          if (outcome.kind !== "accepted") throw new Error("not accepted");
          await commit(outcome.entry, { session: { appended: [user(`in ${index}`)] } });
          expect(await store.sessions.load(key, 0)).toMatchObject({
            key,
            messages: [user(`in ${index}`)],
          });
        }
      });
    });

    describe("usage", () => {
      it("keeps the answer of a provider that lies about what it counted", async () => {
        const usage = [
          createUsage({ inputTokens: 1e30, outputTokens: -5, reasoningTokens: Number.NaN }),
        ];
        expect(await commit(await accept("a"), { usage })).toBeDefined();
        expect(await store.usage.total({})).toMatchObject({
          inputTokens: 1_000_000_000,
          outputTokens: 0,
          reasoningTokens: 0,
        });
      });

      it("adds up by session and by time", async () => {
        await commit(await accept("a"), {
          usage: [
            createUsage({ cachedInputTokens: 4, reasoningTokens: 3 }),
            createUsage({ sessionKey: "other", cachedInputTokens: 2 }),
          ],
        });
        clock.advance(1_000);
        const sinceMs = clock.now();
        await commit(await accept("b"), { usage: [createUsage({ inputTokens: 100 })] });
        expect(await store.usage.total({})).toEqual({
          inputTokens: 120,
          outputTokens: 15,
          cachedInputTokens: 6,
          reasoningTokens: 3,
          cost: 2.25,
        });
        expect(await store.usage.total({ sessionKey: "other" })).toMatchObject({ inputTokens: 10 });
        expect(await store.usage.total({ sinceMs })).toMatchObject({ inputTokens: 100 });
        expect(await store.usage.total({ sinceMs, sessionKey: "console:room" })).toMatchObject({
          inputTokens: 100,
        });
        expect(await store.usage.total({ sinceMs: sinceMs + 1 })).toEqual({
          inputTokens: 0,
          outputTokens: 0,
          cachedInputTokens: 0,
          reasoningTokens: 0,
          cost: 0,
        });
      });
    });

    describe("outbox", () => {
      it("leads a delivery from waiting through retries to delivered", async () => {
        const { id } = await send("a");
        expect(await store.outbox.markSending(id)).toBe(true);
        expect(await store.outbox.markSending(id)).toBe(false);
        expect(await store.outbox.waiting()).toEqual([]);
        await store.outbox.markWaiting(id, 42, strangeText);
        const [retried] = await store.outbox.waiting();
        expect(retried).toMatchObject({ id, attempts: 1, dueAtMs: 42, message: createReply("hi") });
        expect(retried?.problem).toBe(
          strangeText.replace("\0", "\uFFFD").replace("\uD800", "\uFFFD"),
        );
        expect(await store.outbox.markSending(id)).toBe(true);
        await store.outbox.markDelivered(id);
        expect(await store.outbox.markSending(id)).toBe(false);
        const [delivered] = await store.outbox.list(["delivered"], 10);
        expect(delivered).toMatchObject({ id, attempts: 2, state: "delivered", problem: "" });
        expect(await store.outbox.markSending("unknown")).toBe(false);
      });

      it("keeps where a delivered reply went and forgets its words and files", async () => {
        const entry = await accept("a");
        const files = [{ name: "f", mimeType: "t", data: Uint8Array.of(1) }];
        const delivery = await commit(entry, {
          reply: createReply("secret words", { files, metadata: { kept: "yes" } }),
        });
        await store.outbox.markDelivered(delivery?.id ?? "");
        const [delivered] = await store.outbox.list(["delivered"], 1);
        expect(delivered?.message).toEqual(createReply("", { metadata: { kept: "yes" } }));
      });

      it("gives what waits oldest first, and lists by state newest first", async () => {
        const ids: string[] = [];
        for (const name of ["a", "b", "c", "d"]) ids.push((await send(name)).id);
        const [a, b, c, d] = ids as [string, string, string, string];
        expect((await store.outbox.waiting()).map(({ id }) => id)).toEqual([a, b, c, d]);
        await store.outbox.markSending(b);
        await store.outbox.markFailed(b, "gone");
        await store.outbox.markSending(c);
        await store.outbox.markDelivered(c);
        const list = async (...input: Parameters<typeof store.outbox.list>) => {
          return (await store.outbox.list(...input)).map(({ id }) => id);
        };
        expect(await list(["waiting"], 10)).toEqual([d, a]);
        expect(await list(["failed", "delivered"], 10)).toEqual([c, b]);
        expect(await list(["waiting", "failed", "delivered", "waiting"], 3)).toEqual([d, c, b]);
        expect(await list(["unknown", "sending"], 10)).toEqual([]);
        expect((await store.outbox.list(["failed"], 1))[0]).toMatchObject({
          problem: "gone",
          message: createReply("hi"),
        });
      });

      it("knows over a crash which messages of a long reply have arrived", async () => {
        const { id } = await send("a");
        expect((await store.outbox.waiting())[0]?.partsSent).toBe(0);
        await store.outbox.markSending(id);
        await store.outbox.markPartsSent(id, 2);
        await reopen();
        expect(await store.outbox.resolveInterrupted()).toMatchObject([{ id, partsSent: 2 }]);
        expect(await store.outbox.retry(id)).toMatchObject({ id, partsSent: 2, state: "waiting" });
      });

      it("tries again or drops what was given up, as the operator says", async () => {
        const ids: string[] = [];
        for (const name of ["a", "b", "c", "d"]) ids.push((await send(name)).id);
        const [failed, waiting, sending, done] = ids as [string, string, string, string];
        await store.outbox.markSending(failed);
        await store.outbox.markFailed(failed, "gone");
        await store.outbox.markSending(sending);
        await store.outbox.markDelivered(done);
        for (const id of [waiting, sending, done, "no such"])
          expect(await store.outbox.retry(id)).toBeUndefined();
        expect(await store.outbox.retry(failed)).toMatchObject({
          id: failed,
          state: "waiting",
          attempts: 0,
          problem: "",
          message: createReply("hi"),
        });
        expect((await store.outbox.waiting()).map(({ id }) => id)).toEqual([failed, waiting]);
        for (const id of [sending, done, "no such"])
          expect(await store.outbox.drop(id)).toBe(false);
        expect(await store.outbox.drop(failed)).toBe(true);
        expect(await store.outbox.markSending(failed)).toBe(false);
        expect(await store.outbox.list(["dropped"], 10)).toMatchObject([
          { id: failed, message: createReply("") },
        ]);
      });

      it("reports what a crash left undecided once, and does not offer it again", async () => {
        const [sending, waiting] = [await send("a"), await send("b")];
        await store.outbox.markSending(sending.id);
        expect(await store.outbox.resolveInterrupted()).toEqual([]);
        await reopen();
        const interrupted = await store.outbox.resolveInterrupted();
        expect(interrupted).toMatchObject([
          { id: sending.id, state: "unknown", message: createReply("hi"), attempts: 1 },
        ]);
        expect(await store.outbox.resolveInterrupted()).toEqual([]);
        expect((await store.outbox.waiting()).map(({ id }) => id)).toEqual([waiting.id]);
        expect(await store.outbox.markSending(sending.id)).toBe(false);
        await reopen();
        expect(await store.outbox.resolveInterrupted()).toEqual([]);
      });
    });

    describe("messages on platforms", () => {
      const place = { channel: "console", conversationId: "room" };
      const find = (messageId: string, changes: Partial<typeof place> = {}) =>
        store.posted.findTurn({ ...place, ...changes, messageId });

      it("lead to the turn they answer, by channel and conversation, also after a restart", async () => {
        await store.posted.add({ ...place, turnId: "t1", messageIds: ["1", "2"] });
        await store.posted.add({ ...place, turnId: "t2", conversationId: "x", messageIds: ["1"] });
        await store.posted.add({ ...place, turnId: "t3", channel: "x", messageIds: ["1"] });
        await reopen();
        expect(await Promise.all([find("1"), find("2"), find("3")])).toEqual([
          "t1",
          "t1",
          undefined,
        ]);
        expect(await find("1", { conversationId: "x" })).toBe("t2");
        expect(await find("1", { channel: "x" })).toBe("t3");
        expect(await store.posted.hasTurn("t3")).toBe(true);
        expect(await store.posted.hasTurn("t4")).toBe(false);
      });

      it("belong to the newest reply that is called so", async () => {
        for (const turnId of ["t1", "t1", "t2"])
          await store.posted.add({ ...place, turnId, messageIds: ["1"] });
        expect(await find("1")).toBe("t2");
        expect(await store.posted.hasTurn("t1")).toBe(false);
      });

      it("are bounded in number and length, whatever they are called", async () => {
        const many = Array.from({ length: 30 }, (_, index) => `many ${index}`);
        const long = "é".repeat(256);
        const messageIds = ["", long, `${long}é`, strangeText, ...many];
        const conversationId = strangeText.repeat(10);
        await store.posted.add({ ...place, turnId: "t", conversationId, messageIds });
        const known = [long, strangeText, ...many.slice(0, 18)];
        for (const id of messageIds)
          expect(await find(id, { conversationId })).toBe(known.includes(id) ? "t" : undefined);
        await store.posted.add({ ...place, turnId: "none", messageIds: [] });
        expect(await store.posted.hasTurn("none")).toBe(false);
      });

      it("are forgotten with finished deliveries", async () => {
        const { turnId } = await send("a");
        await store.posted.add({ ...place, turnId, messageIds: ["1"] });
        clock.advance(defaultStoreLimits.identityRetentionMs);
        await store.prune();
        expect(await find("1")).toBe(turnId);
        // One that went out late stays as long as any other.
        await store.posted.add({ ...place, turnId, messageIds: ["late"] });
        clock.advance(1);
        await store.prune();
        expect(await Promise.all([find("1"), find("late")])).toEqual([undefined, turnId]);
      });
    });

    describe("files of a conversation", () => {
      const openWith = async (maxSessionFileBytes: number): Promise<void> => {
        await store[Symbol.asyncDispose]();
        store = await open({ maxSessionFileBytes });
      };
      const toFile = (name: string, size: number) => {
        const data = Uint8Array.from({ length: size }, (_, index) => index % 251);
        return { name, mimeType: "image/png", data };
      };
      const say = async (id: string, files: readonly TranscriptFile[]): Promise<void> => {
        const message: TranscriptMessage = { role: "user", content: id, files };
        await commit(await accept(id), { session: { appended: [message, assistant("seen")] } });
      };
      const loadFiles = async (maxMessages = 0) => {
        const { messages } = await store.sessions.load("console:room", maxMessages);
        return messages.flatMap((message) => (message.role === "user" ? [message.files] : []));
      };
      const nameOf = ({ name, mimeType, data }: ReturnType<typeof toFile>) => {
        return { name, mimeType, size: data.byteLength };
      };

      it("come back as they came, also after a restart", async () => {
        const files = [toFile(strangeText, 300), toFile("empty", 0), toFile("last", 2_000)];
        await say("a", files);
        await reopen();
        expect(await loadFiles()).toEqual([files]);
        expect(await loadFiles(1)).toEqual([]);
      });

      it("are kept for the newest messages up to the bound, and by name for the others", async () => {
        await openWith(1_000);
        const [first, second, third] = [toFile("1", 600), toFile("2", 500), toFile("3", 500)];
        await say("a", [first]);
        await say("b", [second]);
        expect(await loadFiles()).toEqual([[nameOf(first)], [second]]);
        await say("c", [third]);
        await say("d", []);
        // What made room is gone for good, whatever the bound becomes.
        await openWith(1_000_000);
        expect(await loadFiles()).toEqual([[nameOf(first)], [second], [third], undefined]);
        // A name that is said again stays one.
        await say("e", [nameOf(first), third]);
        expect((await loadFiles()).at(-1)).toEqual([nameOf(first), third]);
      });

      it("beyond the bound are not kept with their own message either", async () => {
        await openWith(1_000);
        const [small, large] = [toFile("small", 10), toFile("large", 1_001)];
        await say("a", [small]);
        await say("b", [large]);
        expect(await loadFiles()).toEqual([[nameOf(small)], [nameOf(large)]]);
      });

      it("go with the conversation, and are forgotten after their time", async () => {
        const file = toFile("1", 100);
        for (let index = 0; index < 45; index += 1) await say(`m${index}`, [file]);
        clock.advance(defaultStoreLimits.fileRetentionMs);
        await store.prune();
        await say("new", [file]);
        expect(await loadFiles()).toEqual(Array.from({ length: 46 }, () => [file]));
        clock.advance(1);
        await store.prune();
        const old = Array.from({ length: 45 }, () => [nameOf(file)]);
        expect(await loadFiles()).toEqual([...old, [file]]);
        await commit(await accept("clear"), { session: { appended: [], cleared: true } });
        expect(await loadFiles()).toEqual([]);
      });
    });

    describe("key-value store", () => {
      it("keeps namespaces apart, however names and keys are cut", async () => {
        const { keyValue } = store;
        await keyValue.set("a", "b/c", "1");
        await keyValue.set("a/b", "c", "2");
        await keyValue.set("", "a", "3");
        expect(await keyValue.get("a", "b/c")).toBe("1");
        expect(await keyValue.get("a/b", "c")).toBe("2");
        expect(await keyValue.get("a", "c")).toBeUndefined();
        await keyValue.delete("a", "b/c");
        expect(await keyValue.get("a", "b/c")).toBeUndefined();
        expect(await keyValue.get("a/b", "c")).toBe("2");
        expect(await keyValue.list("", "", 10)).toEqual(["a"]);
      });

      it("overwrites, survives a restart, and knows the empty value", async () => {
        await store.keyValue.set("n", "k", "old");
        await store.keyValue.set("n", "k", "new \u{1F680}");
        await store.keyValue.set("n", "", "");
        await reopen();
        expect(await store.keyValue.get("n", "k")).toBe("new \u{1F680}");
        expect(await store.keyValue.get("n", "")).toBe("");
      });

      it("lists keys by prefix, ordered by their bytes, with no wildcards", async () => {
        for (const key of ["b", "a_1", "aX1", "a%", "A", "\u{1F680}a", "\u{1F680}b", "a"]) {
          await store.keyValue.set("n", key, "");
        }
        expect(await store.keyValue.list("n", "a", 10)).toEqual(["a", "a%", "aX1", "a_1"]);
        expect(await store.keyValue.list("n", "a_", 10)).toEqual(["a_1"]);
        expect(await store.keyValue.list("n", "\u{1F680}", 10)).toEqual([
          "\u{1F680}a",
          "\u{1F680}b",
        ]);
        expect(await store.keyValue.list("n", "", 2)).toEqual(["A", "a"]);
      });

      it("refuses what is too long or no text", async () => {
        const { keyValue } = store;
        await expect(keyValue.set("n", "k".repeat(513), "")).rejects.toThrow(
          /513 bytes, 512 are allowed/,
        );
        await expect(keyValue.set("n", "k", "é".repeat(131_073))).rejects.toThrow(/262146 bytes/);
        await expect(keyValue.set("n", "k", "\0")).rejects.toThrow(/base64/);
        await expect(keyValue.set("n", "\uD800", "")).rejects.toThrow(/key/);
        await keyValue.set("n".repeat(512), "k".repeat(512), "v".repeat(262_144));
        expect(await keyValue.get("n".repeat(512), "k".repeat(512))).toHaveLength(262_144);
      });
    });

    describe("pruning", () => {
      it("forgets answered identities and finished deliveries after their time, and nothing else", async () => {
        const delivered = await send("delivered");
        await store.outbox.markDelivered(delivered.id);
        const failed = await send("failed");
        await store.outbox.markFailed(failed.id, "gone");
        const waiting = await send("waiting");
        const unanswered = await accept("unanswered");
        await store.journal.begin(unanswered.id, "kept");
        await store.journal.begin("no turn", "dropped");

        clock.advance(defaultStoreLimits.identityRetentionMs);
        await store.prune();
        expect(await store.outbox.list(["delivered", "failed"], 10)).toHaveLength(2);
        expect((await store.inbox.accept(createMessage("delivered"), "k")).kind).toBe("duplicate");

        clock.advance(1);
        await store.prune();
        expect(await store.outbox.list(["delivered", "failed", "waiting"], 10)).toMatchObject([
          { id: waiting.id },
        ]);
        expect((await store.inbox.accept(createMessage("unanswered"), "k")).kind).toBe("duplicate");
        expect((await store.inbox.accept(createMessage("delivered"), "k")).kind).toBe("accepted");
        expect(await store.journal.load(unanswered.id)).toHaveLength(1);
        expect(await store.journal.load("no turn")).toEqual([]);
        expect(await commit(unanswered)).toBeDefined();
      });

      it("works through more than one batch", async () => {
        const entries = await Promise.all(
          Array.from({ length: 1_100 }, (_, index) => accept(`m${index}`)),
        );
        await Promise.all(entries.map((entry) => commit(entry, { reply: undefined })));
        clock.advance(defaultStoreLimits.identityRetentionMs + 1);
        await store.prune();
        expect((await store.inbox.accept(createMessage("m0"), "k")).kind).toBe("accepted");
        expect((await store.inbox.accept(createMessage("m1099"), "k")).kind).toBe("accepted");
      });
    });

    it("belongs to one process at a time", async () => {
      await expect(open()).rejects.toMatchObject({ code: "STORE_LOCKED" });
      await accept("the first one still works");
      await reopen();
    });

    it("finishes what is under way before it closes, and refuses what comes later", async () => {
      const pending = store.inbox.accept(createMessage("a"), "k");
      const closing = store[Symbol.asyncDispose]();
      expect((await pending).kind).toBe("accepted");
      await closing;
      await expect(store.inbox.accept(createMessage("b"), "k")).rejects.toMatchObject({
        code: "STORE_FAILED",
      });
      await expect(store.outbox.waiting()).rejects.toMatchObject({ code: "STORE_FAILED" });
      await store[Symbol.asyncDispose]();
      store = await open();
      expect(await store.inbox.takeOver()).toHaveLength(1);
    });
  });
}
