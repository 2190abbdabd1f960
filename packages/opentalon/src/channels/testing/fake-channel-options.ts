/** What a fake channel does; see `fake-channel.ts`. */
export interface FakeChannelOptions {
  /** What it speaks; gRPC unless said. */
  readonly generation?: "grpc" | "json";
  /** Kind of the platform it reports. */
  readonly id?: string;
  /** Where it listens: the socket in its folder, one it makes itself and tells, or a TCP port. */
  readonly listen?: "folder" | "told" | "tcp";
  readonly port?: number;
  /** Where its people are, see `fake-chat.ts`: a socket that it connects to, or `beside`: they come to `people.sock` in its folder. */
  readonly chat?: string;
  /** What goes wrong at the start. */
  readonly start?: "crash" | "never-ready" | "refuse-configuration" | "no-configure" | "silent";
  readonly maxMessageLength?: number;
  readonly liveUpdates?: boolean;
  readonly typing?: boolean;
  /** Recognises deliveries it has seen, also those an earlier process wrote into the journal. */
  readonly knowsRepeats?: boolean;
  /** It has delivered a message once its people have read it, see `FakeChat.holdBack`. */
  readonly awaitsReaders?: boolean;
  /** Its messages wait to be acknowledged. */
  readonly receipts?: boolean;
  /** As many acknowledgements as this do not reach it, the first ones. */
  readonly mishears?: number;
  /** Its messages carry no identity of their own. */
  readonly anonymous?: boolean;
  /** Reads lines of standard input as messages, and writes answers to standard output, as a console does. */
  readonly console?: boolean;
  /** Says "here I am" once it is started, and "heard …" of all it is sent; "die" ends it. */
  readonly echo?: boolean;
  /** A file that gets a line with the content of each message it was sent, before it says that the platform has it. */
  readonly journal?: string;
  /** Only who says this token is answered. */
  readonly token?: string;
}
