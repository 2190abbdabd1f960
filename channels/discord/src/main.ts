/** The channel for Discord: a bot, joined over the gateway and the REST API. README.md says how to set it up. */
import { serveChannel } from "@opentalon/plugin-sdk";
import { systemClock } from "./clock.ts";
import { createDiscordChannel } from "./discord-channel.ts";

await serveChannel(
  createDiscordChannel({
    folder: process.cwd(),
    clock: systemClock,
    log: (line) => console.error(line),
  }),
);
