import type { HttpRoute } from "../base/http-route.ts";
import type { InboundMessage, OutboundMessage } from "./message.ts";
import type { Turn, TurnEvent } from "./turn.ts";

export interface ChannelCapabilities {
  readonly threads: boolean;
  readonly files: boolean;
  readonly reactions: boolean;
  readonly edits: boolean;
  /** Characters; 0 means no limit. */
  readonly maxMessageLength: number;
  /**
   * What it shows: `slack`, `telegram` (HTML as Telegram knows it), `whatsapp`, `teams`, `discord`, `html`, `text`. Markdown
   * is turned into it; `markdown` and the empty one stand for Markdown as it is.
   */
  readonly responseFormat: string;
  /** Words for models, which then write in the format themselves: what they write is left as it is. */
  readonly responseFormatPrompt: string;
}

export type AcceptOutcome =
  /** Durable, or dealt with for good (a stranger, too many at once): the platform may be told so and need not come back. */
  | { readonly kind: "accepted" }
  /** Seen before: nothing changed, the platform may be told it was accepted. */
  | { readonly kind: "duplicate" }
  /** Not stored: the platform must deliver again later, or the person must be told. */
  | { readonly kind: "refused"; readonly reason: string; readonly retryAfterMs: number };

/** What a channel may call. */
export interface ChannelHost {
  /** Takes a message; resolves once it is on disk (or was refused). Never rejects. */
  readonly accept: (message: Omit<InboundMessage, "channel">) => Promise<AcceptOutcome>;
  /** The channel's input ended for good (terminal closed): asks for an orderly end of the program. */
  readonly finished: () => void;
  /** The tools that come with the channel are others than before. */
  readonly toolsChanged?: () => void;
}

/** An address of a channel at the HTTP door, or at a port of its own. */
export interface ChannelRoute extends HttpRoute {
  /** `undefined`: the port of the door. */
  readonly port: number | undefined;
}

/** An HTTP request to the platform that a model may make, as the channel describes it: a template with placeholders. */
export interface ChannelTool {
  /** Name of the tool the action belongs to. */
  readonly plugin: string;
  readonly description: string;
  readonly action: string;
  readonly actionDescription: string;
  readonly method: string;
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly requiredEnvironment: readonly string[];
  readonly parameters: readonly {
    readonly name: string;
    readonly description: string;
    readonly required: boolean;
  }[];
}

/** What a delivered message became on its platform. */
export interface SentMessage {
  /** The platform's identifiers, the one people react to first; empty when they are not known. */
  readonly messageIds: readonly string[];
}

/**
 * A connection to one messaging platform. Created stopped; `start` begins intake; disposal ends it and releases all.
 * `send` resolves when the platform has the message, rejects when it certainly has not.
 */
export interface Channel {
  readonly name: string;
  readonly kind: string;
  readonly capabilities: () => ChannelCapabilities;
  /**
   * The platform recognises a `deliveryId` it has seen: a delivery that a crash left undecided may be sent again, and is
   * shown once.
   */
  readonly knowsRepeats?: boolean;
  readonly start: (host: ChannelHost) => Promise<void>;
  /** Stops taking messages; deliveries still work. */
  readonly stopIntake: () => Promise<void>;
  /**
   * The messages a reply takes on the platform, formatted, always the same ones for the same reply; absent where the length
   * of the text alone decides.
   */
  readonly split?: (message: OutboundMessage) => readonly OutboundMessage[];
  /** Words of ours in the format it shows, to stand beside text that is in it already; absent where that is Markdown. */
  readonly formatWords?: (words: string) => string;
  /** `deliveryId` is stable over retries of the same delivery. */
  readonly send: (message: OutboundMessage, deliveryId: string) => Promise<SentMessage | void>;
  /** Shows live progress of a turn (streamed text, running tool) where the platform can. */
  readonly show?: (turn: Turn, event: TurnEvent) => void;
  /** Where its platform reaches it; empty or absent when it reaches out itself. */
  readonly routes?: readonly ChannelRoute[];
  /** Why it cannot be used right now, in words for the operator; `undefined` when it can. */
  readonly findProblem?: () => string | undefined;
  /** Tools that come with the channel, once it has told them. */
  readonly tools?: () => readonly ChannelTool[];
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export const plainCapabilities: ChannelCapabilities = {
  threads: false,
  files: false,
  reactions: false,
  edits: false,
  maxMessageLength: 0,
  responseFormat: "",
  responseFormatPrompt: "",
};
