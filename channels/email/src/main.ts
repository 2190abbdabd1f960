import { setTimeout as delay } from "node:timers/promises";
import { serveChannel } from "@opentalon/plugin-sdk";
import { createEmailChannel } from "./email-channel.ts";

await serveChannel(
  createEmailChannel({
    folder: process.cwd(),
    log: (line) => console.error(line),
    now: Date.now,
    sleep: (timeMs, signal) => delay(timeMs, undefined, { signal }).catch(() => {}),
  }),
);
