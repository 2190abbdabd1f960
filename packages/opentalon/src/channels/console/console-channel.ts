import { randomBytes } from "node:crypto";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import { ChannelError, toMessage } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import { type Channel, type ChannelHost, plainCapabilities } from "../../domain/channel.ts";
import { DeliveryError } from "../delivery-error.ts";
import type { ConsoleView } from "./console-view.ts";
import { createOpenQuestions } from "./open-questions.ts";
import { createPlainView } from "./plain-view.ts";
import { createTerminalView } from "./terminal-view.ts";

/** The streams of the process and what is known about them. */
export interface ConsoleTerminal {
  readonly input: Readable;
  readonly output: Writable;
  /** Takes what is no answer when the output is no terminal. */
  readonly notices: Writable;
  /** Whether input and output both are one. */
  readonly isTerminal: boolean;
  readonly useColors: boolean;
  readonly columns: () => number;
  /** First line a person sees. */
  readonly title: string;
  /** Where lines are remembered between runs; nowhere when absent. */
  readonly historyFile?: string | undefined;
  /**
   * Ctrl+C was pressed on an empty line of a terminal (a key there, not a signal). Without it, that ends the program
   * like Ctrl+D, but without waiting for answers.
   */
  readonly onInterrupt?: (() => void) | undefined;
}

export interface ConsoleChannelOptions {
  readonly name: string;
  readonly terminal: ConsoleTerminal;
  /** The entry's `config`: `conversation` and `user`. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly clock: Clock;
  readonly log: Log;
}

/** The terminal of this process as a channel: each line is a message. */
export function createConsoleChannel(options: ConsoleChannelOptions): Channel {
  const { name, terminal, config, clock, log } = options;
  const conversationId = readText(config, "conversation", "console");
  const senderId = readText(config, "user", "local");
  const view = createView(options);
  const runId = randomBytes(8).toString("hex");
  const stopping = new AbortController();
  let count = 0;
  let host: ChannelHost | undefined;
  let isEnded = false;
  let isFinished = false;
  let sending = 0;
  let outputProblem: unknown;

  const finish = (): void => {
    if (isFinished || stopping.signal.aborted) return;
    isFinished = true;
    host?.finished();
  };
  const finishWhenAnswered = (): void => {
    if (isEnded && questions.isEmpty() && sending === 0) finish();
  };
  const questions = createOpenQuestions(clock, () => {
    finishWhenAnswered();
    view.invite();
  });

  const take = async (platformMessageId: string, content: string): Promise<boolean> => {
    if (content.trim() === "" || host === undefined) return false;
    // Known before it is accepted: its turn may be over before we hear that it was.
    questions.add(platformMessageId);
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      const outcome = await host.accept({
        channelKind: "console",
        platformMessageId,
        conversationId,
        threadId: "",
        senderId,
        senderName: senderId,
        content,
        files: [],
        metadata: {},
        sentAtMs: clock.now(),
      });
      if (outcome.kind !== "refused") return true;
      // A person decides what to do; a pipe cannot, so it waits, and nothing more is read meanwhile.
      const comesBack = !terminal.isTerminal && outcome.retryAfterMs > 0;
      if (attempt === 1) view.notify(toRefusalWords(outcome.reason, comesBack));
      if (!comesBack) break;
      await clock.sleep(outcome.retryAfterMs, stopping.signal);
      if (stopping.signal.aborted) view.notify("a message was not taken: OpenTalon is stopping");
    }
    questions.settle(platformMessageId);
    return false;
  };

  const onOutputError = (error: unknown): void => {
    if (outputProblem !== undefined) return;
    outputProblem = error;
    log.warn({ err: error, channel: name }, "the console's output was closed");
    finish();
  };

  return {
    name,
    kind: "console",
    capabilities: () => plainCapabilities,
    start: async (channelHost) => {
      host = channelHost;
      terminal.output.on("error", onOutputError);
      await view.open({
        createMessageId: () => {
          count += 1;
          return `${runId}-${count}`;
        },
        onMessage: take,
        onEnd: (atOnce) => {
          isEnded = true;
          if (atOnce) finish();
          else finishWhenAnswered();
        },
        isWaiting: () => !questions.isEmpty(),
        isFromEarlierRun: (messageId) => messageId !== "" && !messageId.startsWith(`${runId}-`),
      });
    },
    stopIntake: async () => {
      stopping.abort();
      view.closeInput();
    },
    send: async (message) => {
      if (outputProblem !== undefined) throw toDeliveryError(outputProblem, "not-delivered");
      const messageId = message.metadata["in_reply_to"] ?? "";
      sending += 1;
      try {
        await view.showAnswer(messageId, message);
      } catch (error) {
        throw toDeliveryError(error, "unknown");
      } finally {
        sending -= 1;
        questions.settle(messageId);
        finishWhenAnswered();
        view.invite();
      }
    },
    show: ({ message }, event) => {
      const { platformMessageId } = message;
      if (event.kind === "turn-started") questions.add(platformMessageId);
      view.showEvent(platformMessageId, event);
      if (event.kind === "turn-finished") questions.expectAnswer(platformMessageId);
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      questions.dispose();
      await view.close();
      terminal.output.off("error", onOutputError);
    },
  };
}

function createView({ terminal, clock, log }: ConsoleChannelOptions): ConsoleView {
  if (!terminal.isTerminal) return createPlainView(terminal);
  const { historyFile, onInterrupt } = terminal;
  return createTerminalView({ ...terminal, historyFile, onInterrupt, clock, log });
}

function toRefusalWords(reason: string, comesBack: boolean): string {
  return comesBack
    ? `waiting, a message was not taken yet: ${reason}`
    : `not taken: ${reason}. The arrow up key brings the message back.`;
}

function toDeliveryError(error: unknown, outcome: "not-delivered" | "unknown"): DeliveryError {
  const problem = `the console's output cannot be written: ${toMessage(error)}`;
  return new DeliveryError(problem, { outcome, cause: error });
}

function readText(
  config: Readonly<Record<string, unknown>>,
  key: string,
  fallback: string,
): string {
  const value = config[key] ?? fallback;
  if (typeof value === "string" && value !== "") return value;
  throw new ChannelError("CHANNEL_MISCONFIGURED", `config.${key} of a console must be a text`);
}
