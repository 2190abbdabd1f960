import type { Secret } from "../base/secret.ts";

/** One plugin as the configuration names it. */
export interface PluginEntry {
  /** Key under `plugins:`. */
  readonly key: string;
  /**
   * Path of a program; or a program and its arguments; or `grpc://host:port`, with TLS `grpcs://host:port`, of one that runs elsewhere. Paths that begin
   * with `./` or `../` are relative to where OpenTalon runs.
   */
  readonly command: string | readonly string[];
  /**
   * Makes the program ready before each start, fetching and building it when it is not there, and says what to run instead
   * of `command`. Rejects with words for the operator.
   */
  readonly prepare?: ((signal: AbortSignal) => Promise<PreparedProgram>) | undefined;
  /** Where the program came from, when that is a folder of its own; readable also in a sandbox. */
  readonly programFolder?: string | undefined;
  /** An existing folder to run in; one of its own when absent. */
  readonly workingDirectory?: string | undefined;
  /**
   * The plugin's own SQLite database, told to it as `OPENTALON_DATABASE`; its folder is made, and the migrations beside the
   * program are applied before each start. None when absent. SQLite makes more files beside it.
   */
  readonly databaseFile?: string | undefined;
  /** A folder the program may write to besides its working directory, also in a sandbox. */
  readonly dataFolder?: string | undefined;
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
  /** Bounds of the program, all its processes together unless said otherwise. */
  readonly limits?: ProcessLimits | undefined;
  /** `strict`: in namespaces of its own; off when absent. */
  readonly sandbox?: "off" | "strict" | undefined;
  /** Leaves a program in a strict sandbox the network. */
  readonly sandboxNetwork?: boolean | undefined;
  /** Sent with every call to a plugin that runs elsewhere. */
  readonly token?: Secret | undefined;
  /** For `grpcs://`: paths of files in PEM, and the name in the certificate when it is not that of the address. */
  readonly tls?:
    | {
        readonly ca?: string | undefined;
        readonly cert?: string | undefined;
        readonly key?: string | undefined;
        readonly serverName?: string | undefined;
      }
    | undefined;
  /** Servers a bridge stands for, each of which counts as a plugin of its own, see `toServerTool`. */
  readonly servers?: readonly string[] | undefined;
  /** Told to the plugin as the port it should serve HTTP on; not told when absent. */
  readonly httpPort?: number | undefined;
  /** Time between two checks that it still answers; no checks when absent or 0. */
  readonly healthCheckIntervalMs?: number | undefined;
  /** Time between two questions for its capabilities; none when absent or 0. */
  readonly refreshIntervalMs?: number | undefined;
  /** Whether it is started again after it was lost; yes when absent. */
  readonly restartOnFailure?: boolean | undefined;
  /** Which version of its sources runs, where that is known. */
  readonly version?: string | undefined;
  /** Restarts in a row before it stays stopped; no limit when absent or 0. */
  readonly maxRestarts?: number | undefined;
}

/** What to run for an entry whose program had to be fetched or built. */
export interface PreparedProgram {
  readonly command: readonly string[];
  /** Its sources, readable also in a sandbox; `migrations` may lie in it. */
  readonly folder?: string | undefined;
  /** Which version of the sources it is, in words for the operator. */
  readonly version?: string | undefined;
}

/** What a program may use; what is absent is not bounded. */
export interface ProcessLimits {
  readonly memoryMb?: number | undefined;
  readonly cpuSeconds?: number | undefined;
  readonly processes?: number | undefined;
  readonly openFiles?: number | undefined;
  readonly diskMb?: number | undefined;
}
