import type { Clock } from "../base/clock.ts";
import { createDeadline } from "../base/deadline.ts";
import { formatDuration } from "../base/duration.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { PluginCapabilities } from "../domain/plugin.ts";

export interface PollCapabilitiesOptions {
  readonly plugin: string;
  /** What it can do by now; `undefined` when it can never say. */
  readonly refresh: (signal: AbortSignal) => Promise<PluginCapabilities | undefined>;
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly onCapabilities: (capabilities: PluginCapabilities) => void;
}

/** A plugin may have to ask others before it knows. */
const timeoutMs = 90_000;
/** One that had to answer before all others had answered it is asked again soon after its start. */
const firstIntervalMs = 60_000;

/** Asks a running plugin at intervals what it can do by now, until it was called off or the plugin cannot say. */
export function pollCapabilities(options: PollCapabilitiesOptions): () => void {
  const { plugin, refresh, intervalMs, clock, log, onCapabilities } = options;
  const called = new AbortController();
  let cancel = (): void => {};
  const toError = (): PluginError => {
    const text = `the plugin "${plugin}" did not say within ${formatDuration(timeoutMs)}`;
    return new PluginError(plugin, "timed-out", text);
  };

  const run = async (): Promise<void> => {
    using deadline = createDeadline({ clock, timeoutMs, signal: called.signal, toError });
    try {
      const capabilities = await refresh(deadline.signal);
      if (called.signal.aborted || capabilities === undefined) return;
      onCapabilities(capabilities);
    } catch (error) {
      if (called.signal.aborted) return;
      log.warn(
        { problem: toMessage(error) },
        "The plugin does not say what it can do by now; what it said before counts",
      );
    }
    schedule(intervalMs);
  };

  const schedule = (afterMs: number): void => {
    cancel = clock.after(afterMs, () => void run());
  };
  schedule(Math.min(firstIntervalMs, intervalMs));
  return () => {
    called.abort();
    cancel();
  };
}
