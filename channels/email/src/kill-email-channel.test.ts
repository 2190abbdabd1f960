import { fileURLToPath } from "node:url";
import { expect, it, vi } from "vitest";
import { openProgramChannel } from "../../../packages/opentalon/src/channels/testing/open-program-channel.ts";
import {
  createRecordingHost,
  rememberIdentities,
} from "../../../packages/opentalon/src/channels/testing/recording-host.ts";
import { startMailBench } from "./testing/mail-bench.ts";

const kills = 4;
const patient = { timeout: 60_000 };

it("takes every mail exactly once while its process is killed again and again", async () => {
  await using mail = await startMailBench();
  await using opened = await openProgramChannel({
    program: fileURLToPath(new URL("main.ts", import.meta.url)),
    config: mail.config,
    longestDelayMs: 100,
  });
  const host = createRecordingHost();
  const accepted: string[] = [];
  const remember = rememberIdentities();
  let handedOver = 0;
  let mayKill = false;
  const kill = (): void => {
    mayKill = false;
    process.kill(opened.pids().at(-1) ?? 0, "SIGKILL");
  };
  host.answerWith((message) => {
    handedOver += 1;
    const outcome = remember(message);
    // On disk, and the channel does not know it yet.
    if (mayKill) kill();
    if (outcome.kind === "accepted") accepted.push(message.content);
    return outcome;
  });
  await opened.channel.start(host);
  await mail.listening();
  const said: string[] = [];
  let isOver = false;
  const talking = (async () => {
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (said.length - accepted.length > 60) continue;
      const text = `mail ${said.length}`;
      said.push(text);
      await mail.write({ text });
    }
  })();
  for (let count = 0; count < kills; count += 1) {
    const before = accepted.length;
    await vi.waitFor(() => expect(accepted.length).toBeGreaterThan(before + 5), patient);
    if (count % 2 === 0) {
      mayKill = true;
      await vi.waitFor(() => expect(mayKill).toBe(false), patient);
    } else kill();
  }
  isOver = true;
  await talking;
  await vi.waitFor(() => expect(accepted).toHaveLength(said.length), patient);
  expect(accepted).toEqual(said);
  expect(handedOver).toBeGreaterThan(accepted.length);
  console.log(
    `${kills} kills, ${said.length} mails, ${accepted.length} accepted, ${handedOver - accepted.length} handed over again`,
  );
}, 300_000);
