import type { Clock } from "../base/clock.ts";
import { PluginError } from "../base/errors.ts";
import type { PluginAddress } from "./plugin-address.ts";
import { connectSocket } from "./plugin-address.ts";

export interface ConnectionWatchOptions {
  readonly plugin: string;
  readonly address: PluginAddress;
  /** Aborts when the process has ended. */
  readonly processGone: AbortSignal;
  readonly clock: Clock;
}

/** Notices a plugin whose process lives but can no longer be spoken to. */
export interface ConnectionWatch {
  /** Aborts, with a `PluginError` as reason, when the process has ended or no longer listens. */
  readonly gone: AbortSignal;
  /** The connection was lost, or cannot be made again; finds out whether the plugin is. */
  readonly doubt: () => void;
}

/** The end of a process is known a moment after that of its connections, and says more. */
const endGraceMs = 1_000;

export function createConnectionWatch({
  plugin,
  address,
  processGone,
  clock,
}: ConnectionWatchOptions): ConnectionWatch {
  const deaf = new AbortController();
  let isChecking = false;
  const check = async (): Promise<void> => {
    await clock.sleep(endGraceMs, processGone);
    if (processGone.aborted || (await isListening(address))) return;
    const problem = `the process of the plugin "${plugin}" lives, but no longer listens`;
    deaf.abort(new PluginError(plugin, "unavailable", problem));
  };
  return {
    gone: AbortSignal.any([processGone, deaf.signal]),
    doubt: () => {
      if (isChecking || processGone.aborted || deaf.signal.aborted) return;
      isChecking = true;
      void check().finally(() => (isChecking = false));
    },
  };
}

/** False only when it is certain that nobody listens: one that is busy does not accept either. */
async function isListening(address: PluginAddress): Promise<boolean> {
  try {
    (await connectSocket(address)).destroy();
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code !== "ECONNREFUSED" && code !== "ENOENT";
  }
}
