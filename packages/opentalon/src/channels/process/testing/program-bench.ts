import { expect, vi } from "vitest";
import type { RecentLines } from "../../../plugins/recent-lines.ts";
import type { ChannelBench } from "../../testing/contract/channel-bench.ts";
import type { FakeChat, SentMessage } from "../../testing/fake-chat.ts";

export interface ProgramBenchOptions {
  /** The people at the other end. */
  readonly chat: FakeChat;
  /** What the operator reads of the channel. */
  readonly lines: RecentLines;
  /** Ends the program without a word; another one is started by whoever started it. */
  readonly kill: () => void;
}

type ProgramBench = Omit<ChannelBench, "channel" | "reopen" | typeof Symbol.asyncDispose>;

const patient = { timeout: 15_000, interval: 5 };

/** A bench whose platform is a fake channel with its people. */
export function toProgramBench({ chat, lines, kill }: ProgramBenchOptions): ProgramBench {
  let count = 0;
  /** What the platform has no word of, and brings again to the next program. */
  let underWay: readonly (readonly [content: string, more: object])[] = [];
  const bringAll = async (): Promise<void> => {
    for (const [content, more] of underWay) await chat.say(content, more);
  };
  const say = async (contents: readonly string[], more: object = {}): Promise<void> => {
    underWay = contents.map((content) => [
      content,
      { ...more, metadata: { message_id: `m${(count += 1)}` } },
    ]);
    await bringAll();
  };
  const isAnswer = ({ metadata }: SentMessage): boolean =>
    metadata["type"] !== "error" && metadata["_live_state"] !== "partial";
  const toTexts = (sent: readonly SentMessage[]): readonly string[] =>
    sent.filter(isAnswer).map(({ content }) => content);
  const nextStart = async (): Promise<void> => {
    const before = chat.starts.length;
    await vi.waitFor(() => expect(chat.starts.length).toBeGreaterThan(before), patient);
  };

  return {
    say: (content) => say([content]),
    sayAll: say,
    readReplies: () => toTexts(chat.sent),
    sawRefusal: () => chat.sent.some(({ metadata }) => metadata["type"] === "error"),
    isReleased: () => chat.connections() === 0,
    sayInThread: (content, thread) => say([content], { thread_id: thread }),
    readThread: (thread) => toTexts(chat.sent.filter(({ thread_id }) => thread_id === thread)),
    sayWithFile: async (content) => {
      const data = Buffer.from([0, 255, 10, 13, 128]);
      const file = {
        name: "a.bin",
        mime_type: "application/x-test",
        data: data.toString("base64"),
      };
      await say([content], { files: [file] });
      return { name: "a.bin", mimeType: "application/x-test", data };
    },
    readFiles: () => chat.sent.flatMap(({ files }) => files),
    redeliver: bringAll,
    breakConnection: async () => {
      await vi.waitFor(() => expect(chat.connections()).toBe(1), patient);
      const started = nextStart();
      kill();
      await started;
      await bringAll();
    },
    readLive: () =>
      chat.sent.findLast(({ metadata }) => metadata["_live_state"] === "partial")?.content ?? "",
    slowDown: chat.holdBack,
    sayInvalidUtf8: async () => {
      await chat.tell({ do: "invalid-utf8" });
      return "replaced";
    },
    sayOversize: async () => {
      const started = nextStart();
      await chat.tell({ do: "oversize" });
      await started;
      return lines.last(10).find(({ text }) => text.includes("Channel lost"))?.text ?? "";
    },
  };
}
