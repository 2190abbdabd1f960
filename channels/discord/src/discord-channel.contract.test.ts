import { fileURLToPath } from "node:url";
import { ChannelType } from "@discordjs/core/http-only";
import {
  type ChannelBench,
  describeChannelContract,
} from "../../../packages/opentalon/src/channels/channel.contract.ts";
import { openProgramChannel } from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import { discordBot, startDiscordStub } from "./testing/discord-stub.ts";

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const refusal = "This message was not taken";

describeChannelContract("discord", async (): Promise<ChannelBench> => {
  const discord = await startDiscordStub();
  // Where answers to nothing go.
  discord.addChannel({ id: "c", type: ChannelType.DM });
  const opened = await openProgramChannel({
    program,
    config: { bot_token: discordBot.token, api_url: discord.apiUrl },
  });
  return {
    channel: opened.channel,
    say: async (content) => {
      await discord.gateway.connected();
      discord.say(content);
    },
    readReplies: () => discord.texts().filter((text) => !text.startsWith(refusal)),
    sawRefusal: () => discord.texts().some((text) => text.startsWith(refusal)),
    isReleased: () => discord.server.openConnections() === 0,
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]();
      await discord[Symbol.asyncDispose]();
    },
  };
});
