import type { Readable, Writable } from "node:stream";
import type { OutboundMessage } from "../../domain/message.ts";
import {
  type ConsoleView,
  createLineJoiner,
  earlierRunWords,
  type ConsoleHandlers,
  maxLineLength,
  tooLongWords,
} from "./console-view.ts";
import { readLines } from "./read-lines.ts";
import { createTerminalFilter, toTerminalLine } from "./terminal-filter.ts";
import { writeCompletely } from "./write-completely.ts";

export interface PlainViewOptions {
  readonly input: Readable;
  readonly output: Writable;
  /** For everything that is not an answer. */
  readonly notices: Writable;
}

/** The console in a pipe: answers on the output, each once and complete, followed by a line feed; nothing else there. */
export function createPlainView({ input, output, notices }: PlainViewOptions): ConsoleView {
  const joiner = createLineJoiner();
  let handlers: ConsoleHandlers | undefined;
  let stopReading = (): void => {};

  const notify = (text: string): void => {
    notices.write(`opentalon: ${toTerminalLine(text)}\n`);
  };

  const pass = async (text: string): Promise<void> => {
    await handlers?.onMessage(handlers.createMessageId(), text);
  };

  const takeLine = async (line: string): Promise<void> => {
    const joined = joiner.add(line);
    if (joined === "too-long") notify(tooLongWords);
    else if (joined !== undefined) await pass(joined.text);
  };

  return {
    open: async (consoleHandlers) => {
      handlers = consoleHandlers;
      stopReading = readLines({
        input,
        maxLineLength,
        onLine: async (line) => {
          if (line.kind === "line") await takeLine(line.text);
          else notify(tooLongWords);
        },
        onEnd: () => {
          const finish = async (): Promise<void> => {
            await pass(joiner.takeRest());
            handlers?.onEnd(false);
          };
          void finish();
        },
      });
    },
    closeInput: () => stopReading(),
    showEvent: () => {},
    showAnswer: async (messageId, { content, files }: OutboundMessage) => {
      for (const { name } of files)
        notify(`the answer has a file, which a console cannot show: ${name}`);
      if (content === "") return;
      if (handlers?.isFromEarlierRun(messageId) === true) notify(earlierRunWords);
      const text = createTerminalFilter()(content);
      await writeCompletely(output, text.endsWith("\n") ? text : `${text}\n`);
    },
    notify,
    invite: () => {},
    close: async () => stopReading(),
  };
}
