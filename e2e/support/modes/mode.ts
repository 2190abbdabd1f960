/** One way a platform is connected, with a platform of its own at the other end. */
export interface Mode extends AsyncDisposable {
  /** Key under `channels`. */
  readonly name: string;
  /** The entry, without who may talk. */
  readonly entry: Readonly<Record<string, unknown>>;
  /** Senders as the platform names them; the second one may be known once it has said something. */
  readonly stranger: string;
  readonly listed: () => string;
  /** The core runs, from now on at this door. */
  readonly connect: (door: string) => Promise<void>;
  /** The platform delivers a message; the same again when it is called with the same identity. */
  readonly deliver: (message: ModeMessage) => Promise<void>;
  /** All that people were told, in the order it came. */
  readonly texts: () => readonly string[];
}

export interface ModeMessage {
  readonly id: number;
  readonly from: "stranger" | "listed";
  readonly content: string;
}
