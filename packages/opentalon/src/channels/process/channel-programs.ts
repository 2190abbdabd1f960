import { join } from "node:path";
import { parseMessageLimit } from "@opentalon/protocol";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Secret } from "../../base/secret.ts";
import { defaultSearchPath, type Environment } from "../../plugins/child-environment.ts";
import { createFence, type Fence } from "../../plugins/fence/create-fence.ts";
import { createOrphanGuard, type OrphanGuard } from "../../plugins/orphan-guard.ts";
import type { PluginEntry, PreparedProgram, ProcessLimits } from "../../plugins/plugin-entry.ts";
import { createTemporaryFolders, type TemporaryFolders } from "../../plugins/temporary-folder.ts";
import { createContainerEngine, type ContainerEngine } from "./docker/container-engine.ts";

/** What the configuration says about a channel that is a program. */
export interface ProgramSettings {
  /** Makes a program that was built from sources ready before each start, and says what to run in place of its path. */
  readonly prepare?: ((signal: AbortSignal) => Promise<PreparedProgram>) | undefined;
  readonly env?: Readonly<Record<string, string | Secret>> | undefined;
  readonly limits?: ProcessLimits | undefined;
  readonly sandbox?: "off" | "strict" | undefined;
  /** Leaves it the network; yes when absent. */
  readonly network?: boolean | undefined;
  readonly token?: Secret | undefined;
  readonly tls?: PluginEntry["tls"];
  /** It has the terminal of this program. */
  readonly ownsTerminal?: boolean | undefined;
}

/** What all channels share that are programs of their own. */
export interface ChannelPrograms extends AsyncDisposable {
  readonly environment: Environment;
  readonly folders: TemporaryFolders;
  /** Below it channels have folders of their own. */
  readonly stateDirectory: string;
  readonly guard: OrphanGuard;
  readonly fence: Fence;
  readonly engine: ContainerEngine;
  /** Longest message taken from a channel, in bytes. */
  readonly maxMessageBytes: number;
  /** Removes, once, what processes of an earlier run left behind. Never rejects. */
  readonly tidy: () => Promise<void>;
}

export interface ChannelProgramsOptions {
  /** The environment of this program; children get only a few names of it. */
  readonly environment: Environment;
  /** Where all state lies; belongs to this process alone. */
  readonly dataDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
}

export function createChannelPrograms(options: ChannelProgramsOptions): ChannelPrograms {
  const { environment, dataDirectory, clock, log } = options;
  const stateDirectory = join(dataDirectory, "channels");
  const folders = createTemporaryFolders(join(dataDirectory, "channel-processes"));
  const guard = createOrphanGuard({ log, environment });
  const searchPath = environment["PATH"] ?? defaultSearchPath;
  let tidied: Promise<void> | undefined;
  return {
    environment,
    folders,
    stateDirectory,
    guard,
    fence: createFence({ searchPath, stateDirectory: dataDirectory, clock, log }),
    engine: createContainerEngine({ environment, dataDirectory, clock, log }),
    maxMessageBytes: parseMessageLimit(environment["OPENTALON_GRPC_MAX_MSG_BYTES"]).bytes,
    tidy: () => (tidied ??= folders.removeLeftOvers()),
    [Symbol.asyncDispose]: () => guard[Symbol.asyncDispose](),
  };
}
