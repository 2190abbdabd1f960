import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import type { TurnEvent } from "../../domain/turn.ts";
import { loadConsoleHistory, type ConsoleHistory } from "./console-history.ts";
import {
  type ConsoleHandlers,
  type ConsoleView,
  createLineJoiner,
  earlierRunWords,
  maxLineLength,
  tooLongWords,
} from "./console-view.ts";
import { createTerminalPrompt, type TerminalPrompt } from "./terminal-prompt.ts";
import { createTerminalScreen } from "./terminal-screen.ts";
import { writeCompletely } from "./write-completely.ts";

export interface TerminalViewOptions {
  readonly input: Readable;
  readonly output: Writable;
  readonly columns: () => number;
  readonly useColors: boolean;
  readonly title: string;
  readonly historyFile: string | undefined;
  /** Ctrl+C without text on the line; without it that ends the console at once. */
  readonly onInterrupt: (() => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a person has seen of one answer so far. */
interface ShownAnswer {
  /** Text since the model last began, as it came. */
  text: string;
  /** Some of it could not be shown. */
  isIncomplete: boolean;
}

interface EnteredLine {
  readonly text: string;
  /** The person saw it while typing. */
  readonly wasSeen: boolean;
}

/** The console for a person: a prompt with history, answers while they grow, and what is going on. */
export function createTerminalView(options: TerminalViewOptions): ConsoleView {
  const { input, output, columns, useColors, title, historyFile, onInterrupt, clock, log } =
    options;
  const joiner = createLineJoiner();
  const entered: EnteredLine[] = [];
  const shown = new Map<string, ShownAnswer>();
  /** Messages typed while the prompt was hidden: shown right above their answer. */
  const unseen = new Map<string, string>();
  const tools = new Map<string, string>();
  let handlers: ConsoleHandlers | undefined;
  let history: ConsoleHistory | undefined;
  let prompt: TerminalPrompt | undefined;
  /** The message whose answer stands last on the screen. */
  let current = "";
  let isTaking = false;
  let isEnded = false;
  let isClosed = false;

  const screen = createTerminalScreen({
    output,
    columns,
    useColors,
    clock,
    beforeWrite: () => prompt?.hide(),
  });

  const invite = (): void => {
    if (isTaking || isEnded || isClosed || handlers?.isWaiting() === true) return;
    shown.clear();
    unseen.clear();
    screen.setActivity("");
    screen.startLine();
    prompt?.show(bold(joiner.isEmpty() ? "> " : "… ", useColors));
  };

  const notify = (text: string): void => {
    screen.note(text);
    invite();
  };

  const pass = async (text: string, wasSeen: boolean): Promise<void> => {
    const messageId = handlers?.createMessageId() ?? "";
    if (!wasSeen) unseen.set(messageId, text);
    const isTaken = await handlers?.onMessage(messageId, text);
    if (isTaken !== true) unseen.delete(messageId);
  };

  /** Lines one after another, as they were entered. */
  const takeEntered = async (): Promise<void> => {
    if (isTaking) return;
    isTaking = true;
    for (let line = entered.shift(); line !== undefined; line = entered.shift()) {
      const joined = joiner.add(line.text);
      if (joined === "too-long") screen.note(tooLongWords);
      else if (joined !== undefined) await pass(joined.text, line.wasSeen);
      if (isClosed) return;
    }
    if (isEnded) {
      await pass(joiner.takeRest(), true);
      handlers?.onEnd(false);
    }
    isTaking = false;
    invite();
  };

  const interrupt = (hasText: boolean): void => {
    const wasContinued = joiner.takeRest() !== "";
    if (hasText || wasContinued) invite();
    else if (onInterrupt !== undefined) onInterrupt();
    else handlers?.onEnd(true);
  };

  /** Whatever is written next belongs to this message's answer. */
  const turnTo = (messageId: string): ShownAnswer => {
    const known = shown.get(messageId);
    if (known !== undefined && current === messageId) return known;
    screen.setActivity("");
    screen.startLine();
    const answer = known ?? { text: "", isIncomplete: false };
    if (known === undefined) {
      const question = unseen.get(messageId);
      if (question !== undefined) screen.note(`> ${question.slice(0, longestEcho)}`);
      if (handlers?.isFromEarlierRun(messageId) === true) screen.note(earlierRunWords);
      unseen.delete(messageId);
      shown.set(messageId, answer);
    }
    current = messageId;
    return answer;
  };

  const showText = (messageId: string, text: string): void => {
    const answer = turnTo(messageId);
    screen.setActivity("");
    if (screen.isClogged()) answer.isIncomplete = true;
    const isBegun = answer.text.trim() !== "";
    answer.text += text;
    if (!answer.isIncomplete) screen.write(isBegun ? text : text.trimStart());
  };

  const showActivity = (): void => {
    screen.setActivity(tools.size === 0 ? "thinking" : [...tools.values()].join(", "));
  };

  /** The model begins anew; what it said before stays, or is `replaced`. */
  const restart = (messageId: string, isReplaced: boolean): void => {
    const answer = shown.get(messageId);
    if (answer === undefined) return;
    if (current === messageId) screen.startLine();
    if (isReplaced && answer.text.trim() !== "") screen.note("(the text above is replaced)");
    answer.text = "";
    answer.isIncomplete = false;
  };

  const showEvent = (messageId: string, event: TurnEvent): void => {
    switch (event.kind) {
      case "turn-started":
        prompt?.hide();
        restart(messageId, true);
        return showActivity();
      case "model-started":
        restart(messageId, false);
        return showActivity();
      case "text-delta":
        return showText(messageId, event.text);
      case "text-reset":
        return restart(messageId, true);
      case "tool-started":
        tools.set(event.callId, event.tool);
        return showActivity();
      case "tool-finished":
        tools.delete(event.callId);
        return showActivity();
      case "hook-finished":
      case "turn-continued":
        return undefined;
      case "turn-finished":
        tools.clear();
        return screen.setActivity("");
    }
  };

  const showAnswer = async (
    messageId: string,
    { content, files }: OutboundMessage,
  ): Promise<void> => {
    const before = shown.get(messageId);
    const standing = before === undefined || before.isIncomplete ? "" : before.text.trim();
    const text = content.trim();
    if (text !== "" && text !== standing) {
      const isContinued = current === messageId && standing !== "" && text.startsWith(standing);
      turnTo(messageId);
      if (!isContinued) screen.startLine();
      screen.write(isContinued ? text.slice(standing.length) : text);
    }
    if (current === messageId) {
      screen.startLine();
      current = "";
    }
    for (const { name } of files) screen.note(`(a file, which a console cannot show: ${name})`);
    shown.delete(messageId);
    await writeCompletely(output, "");
  };

  return {
    open: async (consoleHandlers) => {
      handlers = consoleHandlers;
      history = await loadConsoleHistory(historyFile, log);
      if (isClosed) return;
      screen.note(title);
      screen.note("Ctrl+D ends the conversation; a \\ at the end of a line continues it.");
      prompt = createTerminalPrompt({
        input,
        output,
        columns,
        history: history.lines,
        maxLineLength,
        onLine: (text, wasSeen) => {
          entered.push({ text, wasSeen });
          void takeEntered();
        },
        onTooLong: () => notify(tooLongWords),
        onHistory: (lines) => history?.save(lines),
        onInterrupt: interrupt,
        onEnd: () => {
          isEnded = true;
          void takeEntered();
        },
      });
      invite();
    },
    closeInput: () => {
      isClosed = true;
      prompt?.close();
    },
    showEvent,
    showAnswer,
    notify,
    invite,
    close: async () => {
      isClosed = true;
      prompt?.close();
      screen.dispose();
      await history?.flush();
    },
  };
}

const longestEcho = 500;

function bold(text: string, useColors: boolean): string {
  return useColors ? `\u001b[1m${text}\u001b[22m` : text;
}
