import type { Channel } from "../../../domain/channel.ts";
import type { FileAttachment } from "../../../domain/message.ts";

/** One channel with a platform of its own at the other end. */
export interface ChannelBench extends ChannelAbilities, AsyncDisposable {
  readonly channel: Channel;
  /** A person says something on the platform; resolves when the platform has heard back, where it does. */
  readonly say: (content: string) => Promise<void>;
  /** What the platform's people can read by now: contents of replies, in order. */
  readonly readReplies: () => readonly string[];
  /** The platform, or the person, learned that a message was refused. */
  readonly sawRefusal: () => boolean;
  /** The channel holds nothing of the platform any more. */
  readonly isReleased: () => boolean;
}

/** Resolves to what the platform, the person or the operator was told, in words or as a code. */
export type Told = () => Promise<string>;

/** What more the platform of a bench can do. What it cannot, `Lacks` names. */
export interface ChannelAbilities {
  /**
   * People say all of it in one conversation, as fast as the platform permits. What the platform has to have acknowledged it
   * brings again until it is; resolves when nothing is left to be brought.
   */
  readonly sayAll?: (contents: readonly string[]) => Promise<void>;
  readonly sayInThread?: (content: string, thread: "first" | "second") => Promise<void>;
  /** Contents of replies that stand in that thread. */
  readonly readThread?: (thread: "first" | "second") => readonly string[];
  /** A person says something with a file; resolves to the file. */
  readonly sayWithFile?: (content: string) => Promise<FileAttachment>;
  /** Files of replies. */
  readonly readFiles?: () => readonly { readonly name: string; readonly size: number }[];
  /** The platform delivers the newest message again. */
  readonly redeliver?: () => Promise<void>;
  /** A new start of the program: another channel, with what the old one, which is disposed, had kept. */
  readonly reopen?: () => Promise<Channel>;
  /** The connection breaks without a word. */
  readonly breakConnection?: () => Promise<void>;
  /** What people see of an answer that is not there yet. */
  readonly readLive?: () => string;
  /** The platform leaves what it is sent unread, or unanswered; the returned function ends that. */
  readonly slowDown?: () => () => void;
  /** A message larger than any may be. */
  readonly sayOversize?: Told;
  /** A message whose content is the bytes 61 ff 62. */
  readonly sayInvalidUtf8?: Told;
  /** A message of somebody who is not the platform. */
  readonly sayForged?: Told;
  /** A message that was genuine once, recorded by somebody and brought long after. */
  readonly replay?: Told;
}

/** What a platform may be without; the value says why, in words that end a title. */
export type Lacks = Readonly<Partial<Record<Ability, string>>>;

export type Ability =
  | "threads"
  | "files in"
  | "files out"
  | "duplicates"
  | "restart"
  | "disconnect"
  | "live text"
  | "slow platform"
  | "oversize"
  | "invalid UTF-8"
  | "forgery"
  | "replay";
