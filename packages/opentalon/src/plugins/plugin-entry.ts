import type { Secret } from "../base/secret.ts";

/** One plugin as the configuration names it. */
export interface PluginEntry {
  /** Key under `plugins:`. */
  readonly key: string;
  /**
   * Path of a program; or a program and its arguments; or `grpc://host:port` of one that runs elsewhere. Paths that begin
   * with `./` or `../` are relative to where OpenTalon runs.
   */
  readonly command: string | readonly string[];
  /** An existing folder to run in; one of its own when absent. */
  readonly workingDirectory?: string | undefined;
  /** Added to the plugin's environment. */
  readonly env?: Readonly<Record<string, string | Secret>> | undefined;
  /** The plugin's own configuration, a JSON object as text; `{}` when absent. */
  readonly configJson?: string | undefined;
  /** For connecting, Init and Capabilities together; 5 seconds when absent. */
  readonly dialTimeoutMs?: number | undefined;
  /** From start to handshake; 60 seconds when absent. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Longest message taken from the plugin, in bytes; 32 MiB or `OPENTALON_GRPC_MAX_MSG_BYTES` when absent. */
  readonly maxMessageBytes?: number | undefined;
}
