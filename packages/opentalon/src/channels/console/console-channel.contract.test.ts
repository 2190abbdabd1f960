import type { EventEmitter } from "node:events";
import { vi, expect } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { type ChannelBench, describeChannelContract } from "../channel.contract.ts";
import { createFakeTerminal } from "../testing/fake-terminal.ts";
import { createConsoleChannel } from "./console-channel.ts";

const maxLineLength = 1_048_576;

function openConsole(isTerminal: boolean): ChannelBench {
  const terminal = createFakeTerminal({ isTerminal });
  const { input, output } = terminal;
  const clock = createManualClock();
  const log = createSilentLog();
  const channel = createConsoleChannel({ name: "console", terminal, config: {}, clock, log });
  const isAnswer = (line: string): boolean => line !== "" && !/^[>…(]|OpenTalon|Ctrl/.test(line);
  const enter = isTerminal ? "\r" : "\n";
  return {
    channel,
    say: async (content) => void input.write(content + enter),
    sayAll: async (contents) => void input.write(contents.map((line) => line + enter).join("")),
    readReplies: () =>
      (isTerminal ? terminal.screen() : terminal.written().split("\n")).filter(isAnswer),
    sawRefusal: () => /disk is full/.test(terminal.written() + terminal.noticed()),
    isReleased: () => isLetGo(input) && isLetGo(output),
    slowDown: () => {
      output.pause();
      return () => void output.resume();
    },
    sayInvalidUtf8: async () => {
      input.write(Buffer.concat([Buffer.from([0x61, 0xff, 0x62]), Buffer.from(enter)]));
      return "replaced";
    },
    sayOversize: async () => {
      input.write("x".repeat(maxLineLength + 1) + enter);
      const said = (): string | undefined =>
        /1 MiB/.exec(terminal.written() + terminal.noticed())?.[0];
      await vi.waitFor(() => expect(said()).toBeDefined(), 10_000);
      return said() ?? "";
    },
    [Symbol.asyncDispose]: async () => channel[Symbol.asyncDispose](),
  };
}

/** Nothing of ours listens any more: Node's decoder of keys leaves at the next key, its `onend` stays for ever. */
function isLetGo(stream: EventEmitter): boolean {
  const events = ["close", "end", "error", "keypress", "resize"];
  const listeners = events.flatMap((event) => stream.listeners(event));
  return listeners.every(({ name }) => name === "onend");
}

const lacks = {
  threads: "there is one conversation at a terminal",
  "files in": "lines are all a terminal has",
  "files out": "lines are all a terminal has",
  duplicates: "a line that is written twice is two messages",
  restart: "a line is gone once it is read",
  disconnect: "a terminal that is gone is the end of the program",
  "live text": "it is part of the screen, see its own tests",
  forgery: "whoever sits at the terminal is the operator",
  replay: "whoever sits at the terminal is the operator",
};

describeChannelContract("the console in a pipe", async () => openConsole(false), lacks);
describeChannelContract("the console at a terminal", async () => openConsole(true), lacks);
