import { fileURLToPath } from "node:url";
import { expect, vi } from "vitest";
import {
  type ChannelBench,
  describeChannelContract,
} from "../../../packages/opentalon/src/channels/channel.contract.ts";
import { openProgramChannel } from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import { startMailBench } from "./testing/mail-bench.ts";

async function openBench(): Promise<ChannelBench> {
  const mail = await startMailBench();
  const program = fileURLToPath(new URL("main.ts", import.meta.url));
  const opened = await openProgramChannel({ program, config: mail.config });
  const isRefusal = (text: string): boolean => text.startsWith("This message was not taken");
  return {
    channel: opened.channel,
    say: async (text) => {
      await mail.listening();
      const uid = await mail.write({ text });
      // A mail that nobody takes any more is not marked.
      await vi
        .waitFor(() => expect(mail.isRead(uid)).toBe(true), { timeout: 1_000, interval: 5 })
        .catch(() => {});
    },
    readReplies: () => mail.texts().filter((text) => !isRefusal(text)),
    sawRefusal: () => mail.texts().some(isRefusal),
    isReleased: () => mail.imap.connections() + mail.smtp.connections() === 0,
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]();
      await mail[Symbol.asyncDispose]();
    },
  };
}

describeChannelContract("e-mail", openBench);
