import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ChannelType } from "@discordjs/core/http-only";
import { expect, vi } from "vitest";
import {
  type ChannelBench,
  describeChannelContract,
} from "../../../packages/opentalon/src/channels/channel.contract.ts";
import { openProgramChannel } from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import { discordBot, ids, startDiscordStub, type StubMessage } from "./testing/discord-stub.ts";

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const refusal = "This message was not taken";
const patient = { timeout: 15_000, interval: 5 };
const threads = { first: "800000000000000021", second: "800000000000000022" };

async function openDiscordBench(): Promise<ChannelBench> {
  const discord = await startDiscordStub();
  const dataDirectory = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  // Where answers to nothing go.
  discord.addChannel({ id: "c", type: ChannelType.DM });
  for (const id of Object.values(threads)) {
    discord.addChannel({
      id,
      type: ChannelType.PublicThread,
      guild_id: ids.guild,
      parent_id: ids.channel,
      member: { user_id: discordBot.id },
    });
  }
  const open = () =>
    openProgramChannel({
      program,
      config: { bot_token: discordBot.token, api_url: discord.apiUrl },
      dataDirectory,
    });
  let opened = await open();
  let newest: StubMessage | undefined;
  const say = async (content: string, more: Readonly<Record<string, unknown>> = {}) => {
    await discord.gateway.connected();
    newest = discord.say(content, more);
  };
  const toTexts = (posts: readonly StubMessage[]): readonly string[] =>
    posts.map(({ content }) => content).filter((text) => !text.startsWith(refusal));
  /** Waits until the connection is gone and another one stands. */
  const untilBack = async (end: () => void): Promise<void> => {
    const { identifies, resumes, connected } = discord.gateway;
    await connected();
    const before = identifies() + resumes();
    end();
    await vi.waitFor(() => expect(identifies() + resumes()).toBeGreaterThan(before), patient);
  };
  return {
    get channel() {
      return opened.channel;
    },
    say,
    sayAll: async (contents) => {
      for (const content of contents) await say(content);
    },
    readReplies: () => toTexts(discord.posts()),
    sawRefusal: () => discord.texts().some((text) => text.startsWith(refusal)),
    isReleased: () => discord.server.openConnections() === 0,
    sayInThread: (content, thread) => say(content, { channel_id: threads[thread] }),
    readThread: (thread) =>
      toTexts(discord.posts().filter(({ channel_id: id }) => id === threads[thread])),
    sayWithFile: async (content) => {
      const url = `${discord.server.url}/attachments/1/voice.ogg`;
      const file = { id: "1", filename: "voice.ogg", content_type: "audio/ogg", size: 10, url };
      await say(content, { attachments: [file] });
      return { name: "voice.ogg", mimeType: "audio/ogg", data: Buffer.from("OggS-voice") };
    },
    readFiles: () => discord.calls("POST", /\/messages$/).flatMap(({ bytes }) => readParts(bytes)),
    redeliver: async () => {
      await discord.gateway.connected();
      if (newest !== undefined) discord.gateway.dispatch("MESSAGE_CREATE", newest);
    },
    reopen: async () => {
      await opened[Symbol.asyncDispose]();
      opened = await open();
      return opened.channel;
    },
    breakConnection: () => untilBack(discord.gateway.drop),
    readLive: () => discord.texts().join("\n"),
    slowDown: () => {
      const gate = Promise.withResolvers<undefined>();
      discord.server.intercept(({ method, path }) =>
        method === "POST" && path.endsWith("/messages") ? gate.promise : undefined,
      );
      return () => {
        discord.server.intercept(undefined);
        gate.resolve(undefined);
      };
    },
    [Symbol.asyncDispose]: async () => {
      await opened[Symbol.asyncDispose]();
      await discord[Symbol.asyncDispose]();
      await rm(dataDirectory, { recursive: true });
    },
  };
}

/** Files of a form, by the header of their part. */
function readParts(body: Buffer): readonly { readonly name: string; readonly size: number }[] {
  const text = body.toString("latin1");
  const part = /filename="([^"]*)"\r\n(?:[^\r\n]+\r\n)*\r\n([^]*?)\r\n--/g;
  return [...text.matchAll(part)].map(([, name = "", bytes = ""]) => ({
    name,
    size: bytes.length,
  }));
}

describeChannelContract("discord", openDiscordBench, {
  forgery: "Discord is dialled, nobody else is there",
  replay: "Discord is dialled, nobody else is there",
  oversize: "nobody can write more than Discord takes; files are told by name, see its own tests",
  "invalid UTF-8": "the library of the gateway ends a connection that is not the protocol",
});
