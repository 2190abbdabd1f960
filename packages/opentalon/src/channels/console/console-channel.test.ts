import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createManualClock, type ManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { Channel } from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import type { Turn, TurnEvent } from "../../domain/turn.ts";
import { createFakeTerminal, type FakeTerminal } from "../testing/fake-terminal.ts";
import {
  createRecordingHost,
  type GivenMessage,
  type RecordingHost,
} from "../testing/recording-host.ts";
import { type ConsoleTerminal, createConsoleChannel } from "./console-channel.ts";

interface Bench {
  readonly channel: Channel;
  readonly terminal: FakeTerminal;
  readonly host: RecordingHost;
  readonly clock: ManualClock;
  readonly type: (text: string) => void;
  /** The newest message once there are `count`. */
  readonly message: (count: number) => Promise<GivenMessage>;
  readonly show: (messageId: string, ...events: readonly TurnEvent[]) => void;
  readonly answer: (messageId: string, content: string) => Promise<void>;
}

const open: Channel[] = [];
const folders: string[] = [];

afterEach(async () => {
  for (const channel of open.splice(0)) await channel[Symbol.asyncDispose]();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

async function startConsole(
  settings: Partial<ConsoleTerminal> = {},
  config: Readonly<Record<string, unknown>> = {},
): Promise<Bench> {
  const terminal = createFakeTerminal(settings);
  const host = createRecordingHost();
  const clock = createManualClock();
  const channel = createConsoleChannel({
    name: "console",
    terminal,
    config,
    clock,
    log: createSilentLog(),
  });
  open.push(channel);
  await channel.start(host);
  return {
    channel,
    terminal,
    host,
    clock,
    type: (text) => terminal.input.write(text),
    message: async (count) => {
      await vi.waitFor(() => expect(host.messages.length).toBeGreaterThanOrEqual(count));
      return host.messages[count - 1] as GivenMessage;
    },
    show: (messageId, ...events) => {
      const turn = { message: { platformMessageId: messageId } } as Turn;
      for (const event of events) channel.show?.(turn, event);
    },
    answer: async (messageId, content) => {
      await channel.send(toReply(messageId, content), "d");
    },
  };
}

function toReply(messageId: string, content: string): OutboundMessage {
  const metadata: Record<string, string> = messageId === "" ? {} : { in_reply_to: messageId };
  return {
    channel: "console",
    conversationId: "console",
    threadId: "",
    content,
    files: [],
    metadata,
  };
}

const started: TurnEvent = { kind: "turn-started" };
const modelStarted: TurnEvent = { kind: "model-started", model: "x/y" };
const finished: TurnEvent = { kind: "turn-finished", outcome: "answered" };
const delta = (text: string): TurnEvent => ({ kind: "text-delta", text });
const toolStarted = (tool: string): TurnEvent => ({ kind: "tool-started", callId: tool, tool });
const toolFinished = (tool: string): TurnEvent => {
  return { kind: "tool-finished", callId: tool, tool, isError: false, durationMs: 1 };
};

describe("the console in a pipe", () => {
  it("hands in each line as a message of its own", async () => {
    const { host, type, message } = await startConsole();
    type("hello\r\n\n   \nsecond line\n");
    await message(2);
    expect(host.contents()).toEqual(["hello", "second line"]);
    const [first, second] = host.messages;
    expect(first).toMatchObject({
      channelKind: "console",
      conversationId: "console",
      senderId: "local",
      threadId: "",
    });
    expect(first?.platformMessageId).not.toBe(second?.platformMessageId);
  });

  it("takes conversation and user from its settings", async () => {
    const { type, message } = await startConsole({}, { conversation: "lab", user: "ada" });
    type("hi\n");
    expect(await message(1)).toMatchObject({ conversationId: "lab", senderId: "ada" });
  });

  it("refuses settings of the wrong form", async () => {
    await expect(startConsole({}, { user: 7 })).rejects.toThrow(/config\.user/);
  });

  it("joins lines that end with a backslash", async () => {
    const { host, type, message } = await startConsole();
    type("one\\\ntwo\\\nthree\nfour\n");
    await message(2);
    expect(host.contents()).toEqual(["one\ntwo\nthree", "four"]);
  });

  it("writes answers and nothing else to the output", async () => {
    const bench = await startConsole();
    bench.type("hello\n");
    const { platformMessageId: id } = await bench.message(1);
    bench.show(id, started, modelStarted, delta("wro"), toolStarted("a__b"), toolFinished("a__b"));
    await bench.answer(id, "The \u001b[31mred\u001b[0m answer");
    bench.show(id, finished);
    expect(bench.terminal.written()).toBe("The red answer\n");
    expect(bench.terminal.noticed()).toBe("");
  });

  it("ends after the last answer, with a last line that has no line feed", async () => {
    const bench = await startConsole();
    bench.terminal.input.end("one\ntwo");
    await bench.message(2);
    const [one, two] = bench.host.messages;
    bench.show(one?.platformMessageId ?? "", started, finished);
    await bench.answer(one?.platformMessageId ?? "", "1");
    expect(bench.host.finishedCount()).toBe(0);
    bench.show(two?.platformMessageId ?? "", started, finished);
    expect(bench.host.finishedCount()).toBe(0);
    await bench.answer(two?.platformMessageId ?? "", "2");
    expect(bench.host.finishedCount()).toBe(1);
    expect(bench.terminal.written()).toBe("1\n2\n");
  });

  it("ends also when a turn has no answer to deliver", async () => {
    const bench = await startConsole();
    bench.terminal.input.end("one\n");
    const { platformMessageId: id } = await bench.message(1);
    bench.show(id, started, { kind: "turn-finished", outcome: "refused" });
    bench.clock.advance(5_000);
    await vi.waitFor(() => expect(bench.host.finishedCount()).toBe(1));
  });

  it("ends at once when there is nothing to read", async () => {
    const bench = await startConsole();
    bench.terminal.input.end();
    await vi.waitFor(() => expect(bench.host.finishedCount()).toBe(1));
  });

  it("reads no line before the one before it was taken", async () => {
    const bench = await startConsole();
    let running = 0;
    let most = 0;
    bench.host.answerWith(async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      running -= 1;
      return { kind: "accepted" };
    });
    const lines = Array.from({ length: 10_000 }, (_, line) => `line ${line}`);
    bench.terminal.input.end(`${lines.join("\n")}\n`);
    await vi.waitFor(() => expect(bench.host.messages.length).toBe(10_000), { timeout: 15_000 });
    expect(bench.host.contents()).toEqual(lines);
    expect(most).toBe(1);
  });

  it("waits with a refused message until it is taken, says so once, and keeps its identity", async () => {
    const bench = await startConsole();
    bench.host.answerWith(() => ({ kind: "refused", reason: "inbox full", retryAfterMs: 100 }));
    bench.type("one\ntwo\n");
    await bench.message(1);
    await vi.waitFor(() => expect(bench.terminal.noticed()).toMatch(/inbox full/));
    bench.clock.advance(100);
    await bench.message(2);
    bench.host.answerWith(() => ({ kind: "accepted" }));
    await vi.waitFor(() => {
      bench.clock.advance(100);
      expect(bench.host.contents()).toEqual(["one", "one", "one", "two"]);
    });
    const identities = bench.host.messages.map(({ platformMessageId }) => platformMessageId);
    expect(new Set(identities).size).toBe(2);
    expect(bench.terminal.noticed().match(/inbox full/g)).toHaveLength(1);
  });

  it("does not wait for a message that will never be taken", async () => {
    const bench = await startConsole();
    bench.host.answerWith(() => ({ kind: "refused", reason: "no good", retryAfterMs: 0 }));
    bench.terminal.input.end("one\n");
    await vi.waitFor(() => expect(bench.host.finishedCount()).toBe(1));
    expect(bench.terminal.noticed()).toMatch(/no good/);
  });

  it("refuses a line of more than 1 MiB in words, and goes on with the next", async () => {
    const bench = await startConsole();
    const part = "x".repeat(65_536);
    for (let i = 0; i < 17; i += 1) bench.type(part);
    bench.type("\nnext\n");
    await bench.message(1);
    expect(bench.host.contents()).toEqual(["next"]);
    expect(bench.terminal.noticed()).toMatch(/1 MiB/);
  });

  it("puts characters together that arrive in pieces", async () => {
    const bench = await startConsole();
    const bytes = Buffer.from("grüße 🎉\n");
    for (const byte of bytes) bench.terminal.input.write(Buffer.of(byte));
    expect((await bench.message(1)).content).toBe("grüße 🎉");
  });

  it("says beside the output that an answer belongs to an earlier run", async () => {
    const bench = await startConsole();
    await bench.answer("0011-7", "late answer");
    expect(bench.terminal.written()).toBe("late answer\n");
    expect(bench.terminal.noticed()).toMatch(/before the restart/);
  });

  it("ends when nobody reads its output any more", async () => {
    const bench = await startConsole();
    bench.type("hello\n");
    const { platformMessageId: id } = await bench.message(1);
    bench.terminal.output.destroy(new Error("EPIPE"));
    await vi.waitFor(() => expect(bench.host.finishedCount()).toBe(1));
    await expect(bench.answer(id, "x")).rejects.toMatchObject({ outcome: "not-delivered" });
  });

  it("takes nothing after stopIntake and still answers", async () => {
    const bench = await startConsole();
    bench.type("one\n");
    const { platformMessageId: id } = await bench.message(1);
    await bench.channel.stopIntake();
    bench.type("two\n");
    await bench.answer(id, "done");
    expect(bench.host.contents()).toEqual(["one"]);
    expect(bench.terminal.written()).toBe("done\n");
    expect(bench.host.finishedCount()).toBe(0);
  });
});

describe("the console at a terminal", () => {
  const atTerminal = (settings: Partial<ConsoleTerminal> = {}): Promise<Bench> =>
    startConsole({ isTerminal: true, ...settings });

  /** What a person sees, without the banner and blank space at the end. */
  const seen = ({ terminal }: Bench): string => terminal.screen().slice(2).join("\n").trimEnd();

  it("greets and asks", async () => {
    const bench = await atTerminal();
    await vi.waitFor(() => expect(bench.terminal.screen().at(-1)).toBe("> "));
    expect(bench.terminal.screen()[0]).toBe("OpenTalon test");
    expect(bench.terminal.written()).not.toMatch(/\[\d*m/);
  });

  it("uses colours when it may", async () => {
    const bench = await atTerminal({ useColors: true });
    await vi.waitFor(() => expect(bench.terminal.written()).toMatch(/\[1m> /));
  });

  it("shows text as it grows, and only ends the line when that was the answer", async () => {
    const bench = await atTerminal();
    bench.type("hello\r");
    const { platformMessageId: id } = await bench.message(1);
    bench.show(id, started, modelStarted, delta("Hi"), delta(" there"));
    await vi.waitFor(() => expect(seen(bench)).toBe("> hello\nHi there"));
    bench.show(id, finished);
    await bench.answer(id, "Hi there");
    await vi.waitFor(() => expect(seen(bench)).toBe("> hello\nHi there\n>"));
  });

  it("prints the definitive text when hooks changed it, and only the rest when they added to it", async () => {
    const bench = await atTerminal();
    bench.type("a\r");
    const first = await bench.message(1);
    bench.show(first.platformMessageId, started, modelStarted, delta("draft"), finished);
    await bench.answer(first.platformMessageId, "final");
    bench.type("b\r");
    const second = await bench.message(2);
    bench.show(second.platformMessageId, started, modelStarted, delta("text"), finished);
    await bench.answer(second.platformMessageId, "text (checked)");
    await vi.waitFor(() => expect(seen(bench)).toBe("> a\ndraft\nfinal\n> b\ntext (checked)\n>"));
  });

  it("shows a running tool on a line of its own and erases it cleanly", async () => {
    const bench = await atTerminal();
    bench.type("q\r");
    const { platformMessageId: id } = await bench.message(1);
    bench.show(id, started);
    await vi.waitFor(() => expect(seen(bench)).toBe("> q\n⠋ thinking"));
    bench.show(id, modelStarted, delta("Let me look."), toolStarted("hello__greet\u001b[2J"));
    await vi.waitFor(() => expect(seen(bench)).toMatch(/^> q\nLet me look\.\n. hello__greet$/));
    const before = seen(bench);
    bench.clock.advance(100);
    await vi.waitFor(() => expect(seen(bench)).not.toBe(before));
    expect(seen(bench)).toMatch(/hello__greet$/);
    bench.show(id, toolFinished("hello__greet\u001b[2J"), modelStarted, delta("Found."), finished);
    await bench.answer(id, "Found.");
    await vi.waitFor(() => expect(seen(bench)).toBe("> q\nLet me look.\nFound.\n>"));
  });

  it("marks text of a failed attempt as replaced", async () => {
    const bench = await atTerminal();
    bench.type("q\r");
    const { platformMessageId: id } = await bench.message(1);
    bench.show(id, started, modelStarted, delta("Half an ans"), { kind: "text-reset" });
    bench.show(id, modelStarted, delta("Whole answer"), finished);
    await bench.answer(id, "Whole answer");
    await vi.waitFor(() =>
      expect(seen(bench)).toBe("> q\nHalf an ans\n(the text above is replaced)\nWhole answer\n>"),
    );
  });

  it("lets no escape sequence of a model reach the terminal, in pieces neither", async () => {
    const bench = await atTerminal();
    bench.type("q\r");
    const { platformMessageId: id } = await bench.message(1);
    bench.show(id, started, modelStarted, delta("a\u001b]52;c;aGk"), delta("=\u0007b\u001b"));
    bench.show(id, delta("[2Jc\u009b31md\re\u0008"), finished);
    await bench.answer(id, "\u001b[31mother\u001b[0m");
    await vi.waitFor(() => expect(seen(bench)).toBe("> q\nabcde\nother\n>"));
    expect(bench.terminal.written()).not.toMatch(/\]52|\[31m|\[2J/);
  });

  it("takes pasted lines as messages and shows each above its answer", async () => {
    const bench = await atTerminal();
    bench.type("one\rtwo\r");
    await bench.message(2);
    expect(bench.host.contents()).toEqual(["one", "two"]);
    const [one, two] = bench.host.messages.map(({ platformMessageId }) => platformMessageId);
    bench.show(one ?? "", started, finished);
    bench.show(two ?? "", started);
    await bench.answer(one ?? "", "first");
    bench.show(two ?? "", finished);
    await bench.answer(two ?? "", "second");
    await vi.waitFor(() => expect(seen(bench)).toBe("> one\nfirst\n> two\nsecond\n>"));
  });

  it("keeps apart answers that arrive while the next one grows", async () => {
    const bench = await atTerminal();
    bench.type("one\rtwo\r");
    await bench.message(2);
    const [one, two] = bench.host.messages.map(({ platformMessageId }) => platformMessageId);
    bench.show(one ?? "", started, modelStarted, delta("first"), finished);
    bench.show(two ?? "", started, modelStarted, delta("second"));
    await bench.answer(one ?? "", "first");
    bench.show(two ?? "", delta(" too"), finished);
    await bench.answer(two ?? "", "second too");
    await vi.waitFor(() => expect(seen(bench)).toBe("> one\nfirst\n> two\nsecond too\n>"));
  });

  it("tells the person that a message was refused, and brings it back with the arrow up", async () => {
    const bench = await atTerminal();
    bench.host.answerWith(() => ({ kind: "refused", reason: "disk full", retryAfterMs: 2_000 }));
    bench.type("remember me\r");
    await vi.waitFor(() => expect(seen(bench)).toMatch(/not taken: disk full.*\n>$/s));
    bench.type("\u001b[A");
    await vi.waitFor(() => expect(seen(bench)).toMatch(/\n> remember me$/));
    bench.host.answerWith(() => ({ kind: "accepted" }));
    bench.type("\r");
    expect((await bench.message(2)).content).toBe("remember me");
  });

  it("continues a line after a backslash with another prompt", async () => {
    const bench = await atTerminal();
    bench.type("one\\\r");
    await vi.waitFor(() => expect(seen(bench)).toBe("> one\\\n…"));
    bench.type("two\r");
    expect((await bench.message(1)).content).toBe("one\ntwo");
  });

  it("gets out of the way of an unasked message and brings back what was typed", async () => {
    const bench = await atTerminal();
    bench.type("half a que");
    await vi.waitFor(() => expect(seen(bench)).toBe("> half a que"));
    await bench.answer("", "A reminder.");
    await vi.waitFor(() => expect(seen(bench)).toBe("A reminder.\n> half a que"));
    await bench.answer("0011-7", "Late.");
    await vi.waitFor(() =>
      expect(seen(bench)).toBe(
        "A reminder.\nthe answer to a message from before the restart:\nLate.\n> half a que",
      ),
    );
    bench.type("stion\r");
    expect((await bench.message(1)).content).toBe("half a question");
  });

  it("ends on Ctrl+D once everything is answered", async () => {
    const bench = await atTerminal();
    bench.type("q\r");
    const { platformMessageId: id } = await bench.message(1);
    bench.type("\u0004");
    bench.show(id, started, finished);
    expect(bench.host.finishedCount()).toBe(0);
    await bench.answer(id, "a");
    await vi.waitFor(() => expect(bench.host.finishedCount()).toBe(1));
  });

  it("empties the line on Ctrl+C, and on an empty line ends at once", async () => {
    const bench = await atTerminal();
    bench.type("abc");
    await vi.waitFor(() => expect(seen(bench)).toBe("> abc"));
    bench.type("\u0003");
    await vi.waitFor(() => expect(seen(bench)).toBe(">"));
    expect(bench.host.finishedCount()).toBe(0);
    bench.type("\u0003");
    await vi.waitFor(() => expect(bench.host.finishedCount()).toBe(1));
    expect(bench.host.messages).toEqual([]);
  });

  it("leaves Ctrl+C to whoever asked for it, also while an answer is awaited", async () => {
    let interrupts = 0;
    const onInterrupt = (): void => {
      interrupts += 1;
    };
    const bench = await atTerminal({ onInterrupt });
    bench.type("q\r");
    await bench.message(1);
    bench.type("\u0003\u0003");
    await vi.waitFor(() => expect(interrupts).toBe(2));
    expect(bench.host.finishedCount()).toBe(0);
  });

  it("remembers lines for the next run in a file only its owner reads", async () => {
    const folder = await mkdtemp(join(tmpdir(), "opentalon-console-"));
    folders.push(folder);
    const historyFile = join(folder, "state", "console_history");
    const first = await atTerminal({ historyFile });
    first.type("one\rtwo\r");
    await first.message(2);
    await first.channel[Symbol.asyncDispose]();
    expect(await readFile(historyFile, "utf8")).toBe("one\ntwo\n");
    expect((await stat(historyFile)).mode & 0o777).toBe(0o600);
    const second = await atTerminal({ historyFile });
    second.type("\u001b[A\u001b[A\r");
    expect((await second.message(1)).content).toBe("one");
  });

  it("keeps the newest thousand lines, and starts without a history it cannot read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "opentalon-console-"));
    folders.push(folder);
    const historyFile = join(folder, "console_history");
    const lines = Array.from({ length: 1_500 }, (_, line) => `old ${line}\n`);
    await writeFile(historyFile, lines.join(""));
    const bench = await atTerminal({ historyFile });
    bench.type("new\r");
    await bench.message(1);
    await bench.channel[Symbol.asyncDispose]();
    const kept = (await readFile(historyFile, "utf8")).trimEnd().split("\n");
    expect(kept).toHaveLength(1_000);
    expect(kept.at(-1)).toBe("new");
    const broken = await atTerminal({ historyFile: folder });
    broken.type("works\r");
    expect((await broken.message(1)).content).toBe("works");
  });

  it("gives the whole answer when the terminal could not take all of it live", async () => {
    const bench = await atTerminal();
    bench.type("q\r");
    const { platformMessageId: id } = await bench.message(1);
    bench.terminal.output.pause();
    const part = "x".repeat(70_000);
    bench.show(id, started, modelStarted);
    for (let i = 0; i < 100; i += 1) bench.show(id, delta(part));
    expect(bench.terminal.output.writableLength).toBeLessThan(2_000_000);
    bench.show(id, finished);
    const sent = bench.answer(id, "The end");
    bench.terminal.output.resume();
    await sent;
    await vi.waitFor(() => expect(seen(bench)).toMatch(/\nThe end\n>$/));
  });

  it("forgets a line of more than 1 MiB and says so", async () => {
    const bench = await atTerminal();
    await vi.waitFor(() => expect(seen(bench)).toBe(">"));
    for (let i = 0; i < 17; i += 1) bench.type("y".repeat(65_536));
    await vi.waitFor(() => expect(bench.terminal.written()).toMatch(/1 MiB/), { timeout: 15_000 });
  });
});
