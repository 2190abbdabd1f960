import { afterEach, describe, expect, vi } from "vitest";
import { rememberIdentities } from "../recording-host.ts";
import type { ChannelBench, Lacks } from "./channel-bench.ts";
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
  toTurn,
} from "./contract-run.ts";
import { sayAll } from "./describe-talking.ts";

/** What goes wrong between platform and channel, and must not be seen by people. */
export function describeTrouble(name: string, open: OpenBench, lacks: Lacks): void {
  describe(`${name}, in trouble`, () => {
    const opened: ChannelBench[] = [];
    const ifIt = createAbilityTest(lacks);

    afterEach(async () => {
      for (const bench of opened.splice(0)) await bench[Symbol.asyncDispose]();
    });
    /** With a host that has a memory. */
    const start = async (): Promise<StartedBench> => {
      const started = await startBench(open);
      opened.push(started.bench);
      started.host.answerWith(rememberIdentities());
      return started;
    };

    ifIt("duplicates", "makes one turn of a message that is delivered four times", async () => {
      const { bench, host } = await start();
      const redeliver = requireAbility(bench.redeliver, "redeliver");
      await bench.say("once");
      await vi.waitFor(() => expect(host.accepted()).toEqual(["once"]), patient);
      for (let times = 0; times < 3; times += 1) await redeliver();
      await bench.say("next");
      await vi.waitFor(() => expect(host.accepted().at(-1)).toBe("next"), patient);
      expect(host.accepted()).toEqual(["once", "next"]);
    });

    ifIt(
      "restart",
      "makes one turn of it also when it comes four times again after a restart",
      async () => {
        const { bench, host } = await start();
        const redeliver = requireAbility(bench.redeliver, "redeliver");
        const reopen = requireAbility(bench.reopen, "reopen");
        await bench.say("once");
        await vi.waitFor(() => expect(host.accepted()).toEqual(["once"]), patient);
        const again = await reopen();
        await again.start(host);
        for (let times = 0; times < 4; times += 1) await redeliver();
        await bench.say("next");
        await vi.waitFor(() => expect(host.accepted().at(-1)).toBe("next"), patient);
        expect(host.accepted()).toEqual(["once", "next"]);
        await deliver(again, toReply(again, host.messages.at(-1), "still here"), "d1");
        await vi.waitFor(() => expect(bench.readReplies()).toEqual(["still here"]), patient);
      },
    );

    ifIt(
      "disconnect",
      "loses and doubles nothing when the connection breaks while messages come",
      async () => {
        const { bench, host } = await start();
        const breakConnection = requireAbility(bench.breakConnection, "breakConnection");
        const contents = toContents(60, "in the storm");
        const saying = sayAll({ bench, host }, contents);
        await vi.waitFor(() => expect(host.accepted().length).toBeGreaterThan(5), patient);
        await breakConnection();
        await saying;
        await vi.waitFor(() => expect(host.accepted()).toEqual(contents), patient);
      },
    );

    ifIt(
      "disconnect",
      "shows an answer whole and once when the connection broke while it grew",
      async () => {
        const { bench, host } = await start();
        const { channel } = bench;
        const breakConnection = requireAbility(bench.breakConnection, "breakConnection");
        await bench.say("Tell me all");
        await vi.waitFor(() => expect(host.accepted()).toEqual(["Tell me all"]), patient);
        const [asked] = host.messages;
        if (asked === undefined) throw new Error("nothing was asked");
        const turn = toTurn(channel, asked);
        const half = "The first half of the answer, which is rather long. ";
        const whole = `${half}And the second one.`;
        channel.show?.(turn, { kind: "turn-started" });
        channel.show?.(turn, { kind: "model-started", model: "m" });
        channel.show?.(turn, { kind: "text-delta", text: half });
        if (lacks["live text"] === undefined) {
          const readLive = requireAbility(bench.readLive, "readLive");
          await vi.waitFor(() => expect(readLive()).toContain("The first half"), patient);
        }
        await breakConnection();
        channel.show?.(turn, { kind: "text-delta", text: "And the second one." });
        channel.show?.(turn, { kind: "turn-finished", outcome: "answered" });
        await deliver(channel, toReply(channel, asked, whole), "d1");
        await vi.waitFor(() => expect(bench.readReplies()).toEqual([whole]), patient);
        await bench.say("Thanks");
        await vi.waitFor(() => expect(host.accepted().at(-1)).toBe("Thanks"), patient);
        await deliver(channel, toReply(channel, host.messages.at(-1), "Welcome"), "d2");
        await vi.waitFor(() => expect(bench.readReplies()).toEqual([whole, "Welcome"]), patient);
      },
    );
  });
}
