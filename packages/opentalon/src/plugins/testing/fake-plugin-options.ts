/** How a fake plugin behaves; passed as JSON in its first argument. Everything absent means: like a good plugin. */
export interface FakePluginOptions {
  /** What it speaks on its socket. Default "grpc". */
  readonly generation?: "grpc" | "json";
  /** What it listens on. Default "unix". */
  readonly network?: "unix" | "tcp";
  /** Fixed TCP port; any free one when absent. */
  readonly port?: number;
  /** Name it reports. Default "fake"; "" reports none. */
  readonly name?: string;
  /** Names of the actions it reports instead of those it has. */
  readonly actions?: readonly string[];
  readonly promptAddition?: string;
  /** Says that its calls may ask for other actions, and serves ExecuteBidi in place of Execute (gRPC only). */
  readonly callbacks?: boolean;
  /** Names of its actions that change nothing; "echo" when absent. */
  readonly readOnly?: readonly string[];
  /** Facts the host shall add to the arguments of its actions; "session_id" when absent. */
  readonly contextArguments?: readonly string[];
  /** What its action "check" has run by a callback before it answers, whatever comes of that. */
  readonly first?: {
    readonly plugin: string;
    readonly action: string;
    readonly args?: Readonly<Record<string, string>>;
  };
  /** What its action "check" refuses, each as `<actor> <plugin>`; nothing when absent. */
  readonly refuses?: readonly string[];
  /** Names of its actions that only people may run. */
  readonly userOnly?: readonly string[];
  /** Before the handshake: end with exit code 3 and a line on stderr; say nothing; say something else; … */
  readonly start?:
    | "crash"
    | "hang"
    | "wrong-handshake"
    | "long-line"
    | "close-stdout"
    | "remote-web-address"
    | "flood-stdout";
  /** In Init (gRPC only). */
  readonly init?: "hang" | "refuse" | "unimplemented" | "crash";
  /** In Capabilities. */
  readonly capabilities?: "hang" | "invalid-utf8" | "crash";
  /** After the handshake, writes to this stream for ever, as fast as it can. */
  readonly flood?: "stdout" | "stderr";
  /** Lines written to stderr after the handshake. */
  readonly errorLines?: readonly string[];
  /** Ignores SIGINT and SIGTERM. */
  readonly ignoreSignals?: boolean;
  /** Starts a process of its own, in the same group, that sleeps. */
  readonly grandchild?: boolean;
  /** Lets a gRPC client wait this long for the first bytes of the server. */
  readonly greetingDelayMs?: number;
  /** Removes its socket and folder when stopped; a bad example leaves them. Default false. */
  readonly tidy?: boolean;
  /** Puts its folder here instead of TMPDIR. */
  readonly socketParent?: string;
  /** What its gRPC health service says; it has none when absent. */
  readonly health?: "serving" | "not-serving";
  /** Names of the actions that RefreshCapabilities reports; it does not have that method when absent. */
  readonly refreshed?: readonly string[];
  /** A file of JSON, read at the start, whose members take the place of these options. */
  readonly overrides?: string;
  /** Speaks TLS (gRPC only): files in PEM. With `ca` it takes only callers with a certificate signed by that. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  /** Serves HTTP at the port it was given, or at another one. */
  readonly web?: "given-port" | "other-port";
  /** Appends one line of JSON per event: {"event":"started","pid":…}, {"event":"grandchild","pid":…}, {"event":"call",…}. */
  readonly journal?: string;
  /** Appends every question too (gRPC only): {"event":"asked","method":…,"authorization":…}. */
  readonly noteQuestions?: boolean;
}
