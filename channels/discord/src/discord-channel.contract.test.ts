import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ChannelType } from "@discordjs/core/http-only";
import {
  type ChannelBench,
  describeChannelContract,
} from "../../../packages/opentalon/src/channels/channel.contract.ts";
import {
  openProgramChannel,
  type ProgramChannel,
} from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import { discordBot, ids, startDiscordStub, type StubMessage } from "./testing/discord-stub.ts";

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const refusal = "This message was not taken";
const threads = { first: "800000000000000051", second: "800000000000000052" };
const file = { name: "voice.ogg", mimeType: "audio/ogg", data: Buffer.from("OggS-voice") };

async function openBench(): Promise<ChannelBench> {
  const discord = await startDiscordStub();
  // Where answers to nothing go.
  discord.addChannel({ id: "c", type: ChannelType.DM });
  for (const id of Object.values(threads)) {
    const member = { user_id: discordBot.id };
    const place = { guild_id: ids.guild, parent_id: ids.channel };
    discord.addChannel({ id, type: ChannelType.PublicThread, ...place, member });
  }
  const dataDirectory = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  const config = { bot_token: discordBot.token, api_url: discord.apiUrl };
  const opened: ProgramChannel[] = [];
  const open = async (): Promise<ProgramChannel["channel"]> => {
    const next = await openProgramChannel({ program, config, dataDirectory });
    opened.push(next);
    return next.channel;
  };
  let newest: StubMessage | undefined;
  const say = async (content: string, more = {}): Promise<void> => {
    await discord.gateway.connected();
    newest = discord.say(content, more);
  };
  return {
    channel: await open(),
    say,
    sayAll: async (contents) => {
      for (const content of contents) await say(content);
    },
    sayInThread: (content, thread) => say(content, { channel_id: threads[thread] }),
    readThread: (thread) =>
      discord
        .posts()
        .filter(({ channel_id: id }) => id === threads[thread])
        .map(({ content }) => content),
    sayWithFile: async (content) => {
      const url = `${discord.server.url}/attachments/1/${file.name}`;
      const size = file.data.length;
      const attachment = { id: "1", filename: file.name, content_type: file.mimeType, size, url };
      await say(content, { attachments: [attachment] });
      return file;
    },
    readFiles: discord.files,
    redeliver: async () => {
      await discord.gateway.connected();
      if (newest !== undefined) discord.gateway.dispatch("MESSAGE_CREATE", newest);
    },
    reopen: async () => {
      await opened.at(-1)?.[Symbol.asyncDispose]();
      return open();
    },
    breakConnection: async () => discord.gateway.drop(),
    readLive: () => discord.texts().at(-1) ?? "",
    slowDown: discord.hold,
    readReplies: () => discord.texts().filter((text) => !text.startsWith(refusal)),
    sawRefusal: () => discord.texts().some((text) => text.startsWith(refusal)),
    isReleased: () => discord.server.openConnections() === 0,
    [Symbol.asyncDispose]: async () => {
      for (const each of opened) await each[Symbol.asyncDispose]();
      await discord[Symbol.asyncDispose]();
      await rm(dataDirectory, { recursive: true });
    },
  };
}

describeChannelContract("discord", openBench, {
  oversize: "Discord itself takes 4,000 characters",
  "invalid UTF-8": "a frame that is no text ends the connection",
  forgery: "only what Discord's own servers say is heard",
  replay: "nobody but Discord brings anything",
});
