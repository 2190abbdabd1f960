import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Lacks } from "./channel-bench.ts";
import {
  createAbilityTest,
  deliver,
  type OpenBench,
  patient,
  requireAbility,
  startBench,
  type StartedBench,
  toContents,
  toReply,
} from "./contract-run.ts";

/** What people and platform do in the course of one long talk: after each of it, the channel goes on. */
export function describeTalking(name: string, open: OpenBench, lacks: Lacks): void {
  describe(`${name}, in the course of a talk`, () => {
    let started: StartedBench;
    const ifIt = createAbilityTest(lacks);

    beforeAll(async () => {
      started = await startBench(open);
    });
    afterAll(() => started.bench[Symbol.asyncDispose]());

    let deliveries = 0;
    const answer = (content: string, more: Parameters<typeof toReply>[3] = {}): Promise<void> => {
      const { bench, host } = started;
      const message = toReply(bench.channel, host.messages.at(-1), content, more);
      return deliver(bench.channel, message, `talk-${(deliveries += 1)}`);
    };
    /** Somebody says something and is answered. */
    const goesOn = async (word: string): Promise<void> => {
      const { bench, host } = started;
      await bench.say(word);
      await vi.waitFor(() => expect(host.contents().at(-1)).toBe(word), patient);
      await answer(`re: ${word}`);
      await vi.waitFor(() => expect(bench.readReplies().at(-1)).toBe(`re: ${word}`), patient);
    };

    ifIt("threads", "keeps threads apart, in both directions", async () => {
      const { bench, host } = started;
      const sayInThread = requireAbility(bench.sayInThread, "sayInThread");
      const readThread = requireAbility(bench.readThread, "readThread");
      for (const thread of ["first", "second"] as const) {
        await sayInThread(`in the ${thread}`, thread);
        await vi.waitFor(() => expect(host.contents().at(-1)).toBe(`in the ${thread}`), patient);
        await answer(`to the ${thread}`);
      }
      const [one, other] = host.messages.slice(-2);
      expect(one?.threadId).not.toBe("");
      expect(other?.threadId).not.toBe("");
      expect(one?.threadId).not.toBe(other?.threadId);
      for (const thread of ["first", "second"] as const)
        await vi.waitFor(() => expect(readThread(thread)).toEqual([`to the ${thread}`]), patient);
    });

    ifIt("files in", "brings the file of a message, byte by byte", async () => {
      const { bench, host } = started;
      const file = await requireAbility(bench.sayWithFile, "sayWithFile")("look at this");
      await vi.waitFor(() => expect(host.contents().at(-1)).toBe("look at this"), patient);
      const files = host.messages.at(-1)?.files ?? [];
      const plain = files.map(({ data, ...rest }) => ({ ...rest, data: Buffer.from(data) }));
      expect(plain).toEqual([{ ...file, data: Buffer.from(file.data) }]);
    });

    ifIt("files out", "shows the file of a reply", async () => {
      const { bench } = started;
      const readFiles = requireAbility(bench.readFiles, "readFiles");
      const files = [{ name: "plot.png", mimeType: "image/png", data: Buffer.from("\u0089PNG…") }];
      await answer("here it is", { files });
      await vi.waitFor(
        () => expect(readFiles()).toEqual([{ name: "plot.png", size: files[0]?.data.length }]),
        patient,
      );
    });

    it("waits for the disk: nothing more of a conversation is handed in meanwhile, nothing is lost", async () => {
      const { host } = started;
      const before = host.messages.length;
      const gate = Promise.withResolvers<{ readonly kind: "accepted" }>();
      host.answerWith(() => gate.promise);
      const contents = toContents(100, "while it is stored");
      const saying = sayAll(started, contents);
      await vi.waitFor(() => expect(host.messages.length).toBe(before + 1), patient);
      await nextTicks();
      expect(host.messages.length).toBe(before + 1);
      gate.resolve({ kind: "accepted" });
      await saying;
      await vi.waitFor(() => expect(host.contents().slice(before)).toEqual(contents), patient);
      host.answerWith(() => ({ kind: "accepted" }));
    });

    ifIt(
      "slow platform",
      "waits for a platform that is slow: it gets all of it, in order, once",
      async () => {
        const { bench } = started;
        const before = bench.readReplies().length;
        const speedUp = requireAbility(bench.slowDown, "slowDown")();
        const contents = toContents(20, "for the slow");
        const sending = (async () => {
          for (const content of contents) await answer(content);
        })();
        await nextTicks();
        expect(bench.readReplies().length).toBeLessThanOrEqual(before + 1);
        speedUp();
        await sending;
        await vi.waitFor(
          () => expect(bench.readReplies().slice(before)).toEqual(contents),
          patient,
        );
      },
    );

    ifIt("forgery", "takes nothing of somebody who is not the platform, and says so", async () => {
      const { bench, host } = started;
      const before = host.messages.length;
      expect(await requireAbility(bench.sayForged, "sayForged")()).not.toBe("");
      expect(host.messages).toHaveLength(before);
      await goesOn("after the forgery");
    });

    ifIt(
      "replay",
      "takes nothing twice that was recorded and is played again long after",
      async () => {
        const { bench, host } = started;
        const identities = new Set(host.messages.map(({ platformMessageId }) => platformMessageId));
        const before = host.messages.length;
        expect(await requireAbility(bench.replay, "replay")()).not.toBe("");
        for (const { platformMessageId } of host.messages.slice(before))
          expect(identities).toContain(platformMessageId);
        await goesOn("after the replay");
      },
    );

    ifIt(
      "invalid UTF-8",
      "never takes bytes for text that are none: they are refused in words, or replaced",
      async () => {
        const { bench, host } = started;
        const before = host.messages.length;
        const told = await requireAbility(bench.sayInvalidUtf8, "sayInvalidUtf8")();
        if (told === "replaced")
          await vi.waitFor(() => expect(host.contents().at(-1)).toBe("a\uFFFDb"), patient);
        else {
          expect(told).not.toBe("");
          expect(host.contents().slice(before)).toEqual([]);
        }
        await goesOn("after what was no text");
      },
    );

    ifIt("oversize", "refuses what is too large, says so, and does not keep it", async () => {
      const { bench, host } = started;
      const before = host.messages.length;
      expect(await requireAbility(bench.sayOversize, "sayOversize")()).not.toBe("");
      expect(host.messages).toHaveLength(before);
      await goesOn("after what was too large");
    });
  });
}

/** All of it, as fast as the platform permits. */
export async function sayAll({ bench }: StartedBench, contents: readonly string[]): Promise<void> {
  if (bench.sayAll !== undefined) return bench.sayAll(contents);
  for (const content of contents) await bench.say(content);
}

/** Time for what could happen to happen: several rounds of the event loop and of sockets. */
async function nextTicks(): Promise<void> {
  for (let round = 0; round < 20; round += 1)
    await new Promise((resolve) => setTimeout(resolve, 1));
}
