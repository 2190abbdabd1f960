import type { EventEmitter } from "node:events";
import { createManualClock, systemClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import { type ChannelBench, describeChannelContract } from "./channel.contract.ts";
import { createConsoleChannel } from "./console/console-channel.ts";
import { createFakeTerminal } from "./testing/fake-terminal.ts";
import { startFakePlatform } from "./testing/fake-platform.ts";
import { startPlainDoor } from "./testing/plain-door.ts";
import { createWebhookChannel } from "./webhook-channel.ts";
import { createWebhookInlet } from "./webhook-inlet.ts";

const log = createSilentLog();

function openConsole(isTerminal: boolean): ChannelBench {
  const terminal = createFakeTerminal({ isTerminal });
  const clock = createManualClock();
  const channel = createConsoleChannel({ name: "console", terminal, config: {}, clock, log });
  const isAnswer = (line: string): boolean => line !== "" && !/^[>…(]|OpenTalon|Ctrl/.test(line);
  return {
    channel,
    say: async (content) => {
      terminal.input.write(isTerminal ? `${content}\r` : `${content}\n`);
    },
    readReplies: () =>
      (isTerminal ? terminal.screen() : terminal.written().split("\n")).filter(isAnswer),
    sawRefusal: () => /disk is full/.test(terminal.written() + terminal.noticed()),
    isReleased: () => isLetGo(terminal.input) && isLetGo(terminal.output),
    [Symbol.asyncDispose]: async () => channel[Symbol.asyncDispose](),
  };
}

/** Nothing of ours listens any more: Node's decoder of keys leaves at the next key, its `onend` stays for ever. */
function isLetGo(stream: EventEmitter): boolean {
  const events = ["close", "end", "error", "keypress", "resize"];
  const listeners = events.flatMap((event) => stream.listeners(event));
  return listeners.every(({ name }) => name === "onend");
}

async function openWebhook(): Promise<ChannelBench> {
  const inlet = createWebhookInlet();
  const door = await startPlainDoor(inlet.routes);
  const platform = await startFakePlatform();
  const channel = createWebhookChannel({
    name: "web",
    url: platform.url,
    config: {},
    inlet,
    doorChecksCallers: true,
    clock: systemClock,
    log,
  });
  let count = 0;
  let sawRefusal = false;
  return {
    channel,
    say: async (content) => {
      count += 1;
      const response = await fetch(`${door.url}/api/channels/web/inbound`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ id: `m${count}`, conversation_id: "c", sender_id: "u", content }),
      });
      sawRefusal ||= !response.ok;
      await response.body?.cancel();
    },
    readReplies: () => platform.posted.map(({ document }) => String(document["content"])),
    sawRefusal: () => sawRefusal,
    isReleased: () => platform.openConnections() === 0,
    [Symbol.asyncDispose]: async () => {
      await channel[Symbol.asyncDispose]();
      await door[Symbol.asyncDispose]();
      await platform[Symbol.asyncDispose]();
    },
  };
}

describeChannelContract("the console in a pipe", async () => openConsole(false));
describeChannelContract("the console at a terminal", async () => openConsole(true));
describeChannelContract("a webhook", openWebhook);
