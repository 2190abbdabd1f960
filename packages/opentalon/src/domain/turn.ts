import type { HookRecord } from "./hook.ts";
import type { InboundMessage } from "./message.ts";

/** One accepted message on its way to an answer. */
export interface Turn {
  /** Inbox identifier; also the trace id in every log line of the turn. */
  readonly id: string;
  readonly sessionKey: string;
  readonly message: InboundMessage;
  /** 1 on the first run, more after a crash: then the journal may hold steps. */
  readonly attempt: number;
  /** When the message was stored; absent where that is not known. */
  readonly acceptedAtMs?: number | undefined;
  /** Further messages that are answered together with the first one; `message` is all of them in one. Absent for none. */
  readonly alongside?: readonly Turn[] | undefined;
}

/** What happens inside a turn, live. Never durable, never needed for correctness: channels show it, logs note it. */
export type TurnEvent =
  | { readonly kind: "turn-started" }
  /** It still runs; told every 25 seconds, for platforms whose sign that somebody writes goes out. */
  | { readonly kind: "turn-continued" }
  | { readonly kind: "model-started"; readonly model: string }
  | { readonly kind: "text-delta"; readonly text: string }
  /** Text shown so far came from an attempt that failed; what follows replaces it. */
  | { readonly kind: "text-reset" }
  | { readonly kind: "tool-started"; readonly callId: string; readonly tool: string }
  | {
      readonly kind: "tool-finished";
      readonly callId: string;
      readonly tool: string;
      readonly isError: boolean;
      readonly durationMs: number;
    }
  /** A step before or after the model ran. */
  | ({ readonly kind: "hook-finished" } & HookRecord)
  | {
      readonly kind: "turn-finished";
      readonly outcome: "answered" | "refused" | "failed" | "stopped";
    };

/** Where turn events go, with the message they belong to. Must not throw or block. */
export type TurnObserver = (turn: Turn, event: TurnEvent) => void;

/** A reply ready to be committed and delivered. */
export interface Reply {
  /** Markdown, unless it `isFormatted`. */
  readonly content: string;
  /** A formatter has brought the content into the format of its platform. */
  readonly isFormatted?: boolean;
  readonly metadata: Readonly<Record<string, string>>;
}
