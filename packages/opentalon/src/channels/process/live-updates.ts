import type { Clock } from "../../base/clock.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import type { Turn, TurnEvent } from "../../domain/turn.ts";
import { plainCapabilities } from "../../domain/channel.ts";
import { toTargetFormat } from "../format/format-message.ts";
import { formatBeginning } from "../format/format-text.ts";
import type { ReportedChannel } from "./channel-wire.ts";

export interface LiveUpdatesOptions {
  /** What the channel can do now; `undefined` while it does not run. */
  readonly reported: () => ReportedChannel | undefined;
  /** Brings a message that nobody misses when it is lost. May reject. */
  readonly post: (message: OutboundMessage) => Promise<void>;
  readonly clock: Clock;
}

/** What people see of an answer before it is there: that it is being written, and how it grows. */
export interface LiveUpdates {
  readonly show: (turn: Turn, event: TurnEvent) => void;
  /** The same message, marked as the end of what was shown of it; waits until nothing of that is under way. */
  readonly finish: (message: OutboundMessage) => Promise<OutboundMessage>;
  /** The answer it marked has arrived. */
  readonly settle: (message: OutboundMessage) => void;
  readonly stop: () => void;
}

const typingIntervalMs = 25_000;
/** Platforms take about one edit of a message a second. */
const updateIntervalMs = 1_000;
const maxLive = 1_000;
/**
 * Channels that know about typing since before they could say so. They were made for a sign that an answer takes long, so
 * they get none at its beginning: some show each sign as an empty message.
 */
const typingKinds: ReadonlySet<string> = new Set(["http", "msteams", "slack", "websocket"]);

interface Live {
  readonly turn: Turn;
  text: string;
  shown: string;
  cancelTyping: () => void;
  cancelUpdate: () => void;
  posting: Promise<void>;
  isOver: boolean;
}

export function createLiveUpdates({ reported, post, clock }: LiveUpdatesOptions): LiveUpdates {
  /** By the identity of the message that is answered. */
  const lives = new Map<string, Live>();

  const postQuietly = (live: Live, content: string, metadata: Record<string, string>): void => {
    const { channel, conversationId, threadId, platformMessageId } = live.turn.message;
    const message: OutboundMessage = {
      channel,
      conversationId,
      threadId,
      content,
      files: [],
      metadata: { in_reply_to: platformMessageId, ...metadata },
    };
    live.posting = live.posting.then(() => post(message)).catch(() => undefined);
  };

  const type = (live: Live): void => {
    if (live.isOver) return;
    const channel = reported();
    if (channel !== undefined && (channel.typing || typingKinds.has(channel.id)))
      postQuietly(live, "", { _typing: "true" });
    typeLater(live);
  };
  const typeLater = (live: Live): void => {
    live.cancelTyping = clock.after(typingIntervalMs, () => type(live));
  };

  /** Looks at the text at intervals, so that its parts, which may come by the hundred, cost nothing. */
  const schedule = (live: Live): void => {
    if (!live.isOver) live.cancelUpdate = clock.after(updateIntervalMs, () => update(live));
  };

  const update = (live: Live): void => {
    if (live.isOver) return;
    if (live.text === live.shown || live.text.trim() === "") return schedule(live);
    live.shown = live.text;
    const capabilities = reported()?.capabilities ?? plainCapabilities;
    const format = toTargetFormat(capabilities);
    const content = formatBeginning(live.text, format, capabilities.maxMessageLength);
    // Marks alone say nothing yet.
    if (content === "") return schedule(live);
    postQuietly(live, content, { _live: live.turn.id, _live_state: "partial" });
    // The next one when this one has arrived: a slow platform gets fewer.
    void live.posting.then(() => schedule(live));
  };

  const end = (live: Live): void => {
    live.isOver = true;
    live.cancelTyping();
    live.cancelUpdate();
  };

  const begin = (turn: Turn): void => {
    const oldest = lives.size >= maxLive ? lives.entries().next().value : undefined;
    if (oldest !== undefined) {
      end(oldest[1]);
      lives.delete(oldest[0]);
    }
    const live: Live = {
      turn,
      text: "",
      shown: "",
      cancelTyping: () => {},
      cancelUpdate: () => {},
      posting: Promise.resolve(),
      isOver: false,
    };
    const before = lives.get(turn.message.platformMessageId);
    if (before !== undefined) end(before);
    lives.set(turn.message.platformMessageId, live);
    if (reported()?.typing === true) type(live);
    else typeLater(live);
    if (reported()?.liveUpdates === true) schedule(live);
  };

  return {
    show: (turn, event) => {
      if (event.kind === "turn-started") return begin(turn);
      const live = lives.get(turn.message.platformMessageId);
      if (live === undefined) return;
      if (event.kind === "text-delta") live.text += event.text;
      else if (event.kind === "model-started" && live.text !== "") live.text += "\n\n";
      else if (event.kind === "text-reset") live.text = "";
      else if (event.kind === "turn-finished") {
        end(live);
        if (live.shown === "") lives.delete(turn.message.platformMessageId);
      }
    },
    finish: async (message) => {
      const live = lives.get(message.metadata["in_reply_to"] ?? "");
      if (live === undefined) return message;
      end(live);
      await live.posting;
      if (live.shown === "") return message;
      const metadata = { ...message.metadata, _live: live.turn.id, _live_state: "final" };
      return { ...message, metadata };
    },
    settle: (message) => void lives.delete(message.metadata["in_reply_to"] ?? ""),
    stop: () => {
      for (const live of lives.values()) end(live);
      lives.clear();
    },
  };
}
