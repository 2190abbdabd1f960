import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import type { OutboundMessage } from "../../domain/message.ts";
import { isRunning } from "../../plugins/testing/launch-fake.ts";
import { openFakeChannel } from "../testing/open-fake-channel.ts";
import { createRecordingHost, rememberIdentities } from "../testing/recording-host.ts";

// As often as it takes to see that somebody comes back; `make kills` does it twenty times, with the whole program around it.
const kills = 3;
const patient = { timeout: 30_000 };

it.each(["grpc", "json"] as const)(
  "loses and doubles nothing that was accepted while its process is killed again and again, over %s",
  async (generation) => {
    const folder = await mkdtemp(join(tmpdir(), "opentalon-test-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const journal = join(folder, "journal");
    await using opened = await openFakeChannel({
      fake: { generation, journal },
      longestDelayMs: 100,
    });
    const { channel, chat } = opened;
    const host = createRecordingHost();
    const remember = rememberIdentities();
    const accepted: string[] = [];
    const delivered = new Set<string>();
    let unknown = 0;
    let refused = 0;
    const answer = async (conversationId: string, content: string): Promise<void> => {
      const message: OutboundMessage = {
        channel: "fake-one",
        conversationId,
        threadId: "",
        content,
        files: [],
        metadata: {},
      };
      // As the delivery does: what certainly did not arrive is sent again.
      for (;;) {
        try {
          await channel.send(message, content);
          return void delivered.add(content);
        } catch (error) {
          if ((error as { outcome?: string }).outcome === "unknown") return void (unknown += 1);
          refused += 1;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    };
    const answers: Promise<void>[] = [];
    host.answerWith((message) => {
      const outcome = remember(message);
      if (outcome.kind === "accepted") {
        accepted.push(message.content);
        answers.push(answer(message.conversationId, `re: ${message.content}`));
      }
      return outcome;
    });
    await channel.start(host);

    let said = 0;
    let isOver = false;
    const talking = (async () => {
      while (!isOver) {
        said += 1;
        // As a platform would: whatever was not acknowledged may come again under the same identity.
        const message = { metadata: { message_id: `p${said}` } };
        await chat.say(`message ${said}`, message);
        if (said % 5 === 0) await chat.say(`message ${said}`, message);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
    for (let kill = 0; kill < kills; kill += 1) {
      await vi.waitFor(() => expect(chat.starts.length).toBeGreaterThan(kill), patient);
      const before = accepted.length;
      await vi.waitFor(() => expect(accepted.length).toBeGreaterThan(before + 5), patient);
      process.kill(chat.pids.at(-1) ?? 0, "SIGKILL");
    }
    await vi.waitFor(() => expect(chat.starts.length).toBeGreaterThan(kills), patient);
    isOver = true;
    await talking;
    // What is on its way is not accepted any more: the books are closed.
    await channel.stopIntake();
    await Promise.all(answers);

    // What the platform has stands in a file: connections lose what was on its way when a process is killed.
    const shown = (await readFile(journal, "utf8")).split("\n").slice(0, -1);
    const lost = [...delivered].filter((content) => !shown.includes(content)).length;
    const doubled = shown.length - new Set(shown).size;
    expect(new Set(accepted).size).toBe(accepted.length);
    console.log(
      `${generation}: ${kills} kills, ${said} said, ${accepted.length} accepted, ${delivered.size} answers delivered, ` +
        `${unknown} of unknown outcome, ${refused} refused and sent again, ${lost} lost, ${doubled} doubled`,
    );
    expect({ lost, doubled }).toEqual({ lost: 0, doubled: 0 });
    expect(delivered.size + unknown).toBe(accepted.length);
    await channel[Symbol.asyncDispose]();
    for (const pid of chat.pids) expect(await isRunning(pid)).toBe(false);
  },
  300_000,
);
