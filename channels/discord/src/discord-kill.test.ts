import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it, vi } from "vitest";
import { openProgramChannel } from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import {
  createRecordingHost,
  rememberIdentities,
} from "../../../packages/opentalon/src/channels/testing/recording-host.ts";
import { discordBot, startDiscordStub } from "./testing/discord-stub.ts";

const program = fileURLToPath(new URL("main.ts", import.meta.url));
const kills = 3;
const everyMs = 20;
const patient = { timeout: 30_000 };

it("loses nothing and says nothing twice while its process is killed again and again", async () => {
  await using discord = await startDiscordStub();
  await using opened = await openProgramChannel({
    program,
    config: { bot_token: discordBot.token, api_url: discord.apiUrl },
    longestDelayMs: 100,
  });
  const { channel } = opened;
  const host = createRecordingHost();
  const remember = rememberIdentities();
  const accepted: string[] = [];
  let answering: Promise<void> = Promise.resolve();
  let retries = 0;
  // As the delivery does for a channel that knows repeats: one after another, and what did not arrive for certain again.
  const answer = async (conversationId: string, content: string, id: string): Promise<void> => {
    const metadata = { in_reply_to: id };
    const place = { channel: "one", conversationId, threadId: "", files: [], metadata };
    for (;;) {
      const isSent = await channel.send({ ...place, content }, content).then(
        () => true,
        () => false,
      );
      if (isSent) return;
      retries += 1;
      await sleep(50);
    }
  };
  host.answerWith((message) => {
    const outcome = remember(message);
    if (outcome.kind === "accepted") {
      const { conversationId, platformMessageId, content } = message;
      accepted.push(content);
      answering = answering.then(() => answer(conversationId, `re: ${content}`, platformMessageId));
    }
    return outcome;
  });
  await channel.start(host);
  await discord.gateway.connected();

  const said: string[] = [];
  let isOver = false;
  const talking = (async () => {
    while (!isOver) {
      said.push(`message ${said.length}`);
      discord.say(said.at(-1) ?? "");
      await sleep(everyMs);
    }
  })();
  for (let kill = 1; kill <= kills; kill += 1) {
    const before = accepted.length;
    await vi.waitFor(() => expect(accepted.length).toBeGreaterThan(before + 10), patient);
    const running = opened.pids().at(-1);
    // Every other time the connection cannot be taken up again.
    if (kill % 2 === 0) discord.gateway.forgetSessions();
    process.kill(Number(running), "SIGKILL");
  }
  const before = accepted.length;
  await vi.waitFor(() => expect(accepted.length).toBeGreaterThan(before + 10), patient);
  isOver = true;
  await talking;
  await vi.waitFor(() => expect(accepted.length).toBe(said.length), patient);
  await answering;

  const texts = discord.texts();
  const lost = said.filter((content) => !texts.includes(`re: ${content}`)).length;
  const doubled = texts.length - new Set(texts).size;
  console.log(
    `${kills} kills, ${said.length} said, ${accepted.length} accepted, ${texts.length} answers shown, ` +
      `${retries} sent again, ${lost} lost, ${doubled} doubled`,
  );
  expect({ lost, doubled }).toEqual({ lost: 0, doubled: 0 });
  expect(accepted.toSorted()).toEqual(said.toSorted());
}, 120_000);
