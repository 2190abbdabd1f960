import type { OutboundMessage } from "../../domain/message.ts";
import type { TurnEvent } from "../../domain/turn.ts";

/** How the console talks: to a person at a terminal, or to a program at the end of a pipe. */
export interface ConsoleView {
  /** Begins to read. */
  readonly open: (handlers: ConsoleHandlers) => Promise<void>;
  /** Ends reading; answers are still shown. */
  readonly closeInput: () => void;
  readonly showEvent: (messageId: string, event: TurnEvent) => void;
  /** `messageId` is empty when the message answers nothing. Resolves when it is written. */
  readonly showAnswer: (messageId: string, message: OutboundMessage) => Promise<void>;
  /** Something the person has to know. */
  readonly notify: (text: string) => void;
  /** No message waits for its answer any more: the person may be asked again. */
  readonly invite: () => void;
  readonly close: () => Promise<void>;
}

export interface ConsoleHandlers {
  readonly createMessageId: () => string;
  /** Takes one message; false when it was not taken, which the person has been told. Never rejects. */
  readonly onMessage: (messageId: string, text: string) => Promise<boolean>;
  /** No more messages will come; `atOnce`: do not wait for answers. */
  readonly onEnd: (atOnce: boolean) => void;
  /** Whether some message has no answer yet. */
  readonly isWaiting: () => boolean;
  /** Whether the message comes from an earlier run of the program. */
  readonly isFromEarlierRun: (messageId: string) => boolean;
}

export const maxLineLength = 1_048_576;

export const tooLongWords = "a line of more than 1 MiB was not taken";

export const earlierRunWords = "the answer to a message from before the restart:";

/** Joins lines that end with a backslash to one message. */
export interface LineJoiner {
  /** The message, once complete; `undefined` while a line is to follow; `too-long` when it was thrown away. */
  readonly add: (line: string) => { readonly text: string } | "too-long" | undefined;
  /** What was begun and not completed; empty when nothing was. */
  readonly takeRest: () => string;
  readonly isEmpty: () => boolean;
}

export function createLineJoiner(): LineJoiner {
  let begun = "";
  return {
    add: (line) => {
      const isContinued = line.endsWith("\\");
      const text = begun + (isContinued ? `${line.slice(0, -1)}\n` : line);
      begun = "";
      if (text.length > maxLineLength) return "too-long";
      if (!isContinued) return { text };
      begun = text;
      return undefined;
    },
    takeRest: () => {
      const rest = begun;
      begun = "";
      return rest;
    },
    isEmpty: () => begun === "",
  };
}
