import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { openProgramChannel } from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import {
  createRecordingHost,
  rememberIdentities,
} from "../../../packages/opentalon/src/channels/testing/recording-host.ts";
import { bot, startHomeserverStub } from "./testing/homeserver-stub.ts";

const kills = 3;
const patient = { timeout: 60_000 };

it("loses and doubles nothing while its process is killed again and again", async () => {
  await using homeserver = await startHomeserverStub();
  const room = homeserver.openDirectChat();
  await using opened = await openProgramChannel({
    program: join(import.meta.dirname, "main.ts"),
    config: { homeserver: homeserver.url, access_token: bot.token },
    longestDelayMs: 50,
  });
  const { channel } = opened;
  const host = createRecordingHost();
  const remember = rememberIdentities();
  const accepted: string[] = [];
  const answers: Promise<void>[] = [];
  let offered = 0;
  let triedAgain = 0;
  const answer = async (content: string): Promise<void> => {
    const message = {
      channel: "one",
      conversationId: room,
      threadId: "",
      content: `re: ${content}`,
      files: [],
      metadata: {},
    };
    // The platform knows what it has seen: whatever became of a delivery, it is sent again until it is there.
    for (;;) {
      try {
        await channel.send(message, `delivery of ${content}`);
        return;
      } catch {
        triedAgain += 1;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  host.answerWith((message) => {
    offered += 1;
    const outcome = remember(message);
    if (outcome.kind === "accepted") {
      accepted.push(message.content);
      answers.push(answer(message.content));
    }
    return outcome;
  });
  await channel.start(host);
  await vi.waitFor(() => expect(homeserver.calls(/\/sync$/).length).toBeGreaterThan(1), patient);
  const said: string[] = [];
  let isOver = false;
  const talking = (async () => {
    while (!isOver) {
      said.push(`message ${said.length}`);
      homeserver.say(room, said.at(-1) ?? "");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  for (let kill = 0; kill < kills; kill += 1) {
    const before = accepted.length;
    await vi.waitFor(() => expect(accepted.length).toBeGreaterThan(before + 5), patient);
    process.kill(opened.pids().at(-1) ?? 0, "SIGKILL");
  }
  const before = accepted.length;
  await vi.waitFor(() => expect(accepted.length).toBeGreaterThan(before + 5), patient);
  isOver = true;
  await talking;
  await vi.waitFor(() => expect(accepted.length).toBe(said.length), patient);
  await Promise.all(answers);

  const shown = homeserver.texts();
  const lost = said.filter((content) => !shown.includes(`re: ${content}`)).length;
  const doubled = shown.length - new Set(shown).size;
  console.log(
    `matrix: ${opened.pids().length - 1} kills, ${said.length} said, ${accepted.length} accepted, ${offered - accepted.length} handed over again, ` +
      `${triedAgain} deliveries tried again, ${lost} lost, ${doubled} doubled`,
  );
  expect(accepted).toEqual(said);
  expect({ lost, doubled }).toEqual({ lost: 0, doubled: 0 });
}, 120_000);
