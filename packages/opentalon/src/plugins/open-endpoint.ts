import type { Clock } from "../base/clock.ts";
import { createDeadline } from "../base/deadline.ts";
import { formatDuration } from "../base/duration.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { createConnectionWatch } from "./connection-watch.ts";
import type { LaunchDependencies } from "./launch.ts";
import { launchPlugin } from "./launch.ts";
import { loadGrpc } from "./open-plugin-client.ts";
import type { PluginAddress } from "./plugin-address.ts";
import { parseRemoteAddress } from "./plugin-address.ts";
import type { PluginEntry } from "./plugin-entry.ts";

/** A plugin that listens: a process of ours, or one that runs elsewhere. */
export interface PluginEndpoint {
  readonly address: PluginAddress;
  /** It runs elsewhere: what is lost is the connection. */
  readonly isRemote: boolean;
  /** Number of our process. */
  readonly pid?: number | undefined;
  /** Aborts, with a `PluginError` as reason, when the plugin is lost and has to be started again. */
  readonly gone: AbortSignal;
  /** To be called when a connection that stood was lost. */
  readonly doubt: () => void;
  /** Ends the process, when it is ours. Never rejects. */
  readonly stop: () => Promise<void>;
}

export interface OpenEndpointDependencies extends Omit<LaunchDependencies, "log"> {
  readonly clock: Clock;
  /** Log of this plugin: every line names it. */
  readonly log: Log;
}

const defaultHandshakeTimeoutMs = 60_000;
const defaultDialTimeoutMs = 5_000;

/**
 * Starts the program of an entry and waits until it listens; an address of one that runs elsewhere is taken as it is.
 * @throws PluginError; nothing of the plugin is left then.
 */
export async function openEndpoint(
  entry: PluginEntry,
  dependencies: OpenEndpointDependencies,
  signal: AbortSignal,
): Promise<PluginEndpoint> {
  const { key, command } = entry;
  const remote = parseRemoteAddress(key, command);
  if (remote !== undefined) return createRemoteEndpoint(key, remote);

  const handshakeTimeoutMs = entry.handshakeTimeoutMs ?? defaultHandshakeTimeoutMs;
  const { workingDirectory, httpPort, limits, sandbox, sandboxNetwork, programFolder } = entry;
  const { dataFolder } = entry;
  const env =
    httpPort === undefined ? entry.env : { OPENTALON_HTTP_PORT: `${httpPort}`, ...entry.env };
  const launched = await launchPlugin(
    {
      plugin: key,
      command,
      workingDirectory,
      env,
      limits,
      sandbox,
      sandboxNetwork,
      programFolder,
      dataFolder,
      handshakeTimeoutMs,
      signal,
      // The library is loaded while the plugin starts; a failure shows again where the client is made.
      onStarted: () => void loadGrpc().catch(() => {}),
    },
    dependencies,
  );
  const { clock } = dependencies;
  const address = launched.handshake;
  const watch = createConnectionWatch({ plugin: key, address, processGone: launched.gone, clock });
  const { pid, stop } = launched;
  return { address, isRemote: false, pid, gone: watch.gone, doubt: watch.doubt, stop };
}

function createRemoteEndpoint(key: string, address: PluginAddress): PluginEndpoint {
  const gone = new AbortController();
  const problem = `the connection to the plugin "${key}" was lost`;
  return {
    address,
    isRemote: true,
    gone: gone.signal,
    doubt: () => gone.abort(new PluginError(key, "unavailable", problem)),
    stop: async () => {},
  };
}

/**
 * Lets both sides introduce themselves, under the entry's deadline.
 * @throws PluginError; the endpoint is stopped then.
 */
export async function introduce<Running>(
  entry: PluginEntry,
  endpoint: PluginEndpoint,
  clock: Clock,
  signal: AbortSignal,
  meet: (signal: AbortSignal) => Promise<Running>,
): Promise<Running> {
  const { key, dialTimeoutMs: timeoutMs = defaultDialTimeoutMs } = entry;
  const problem = `the plugin "${key}" did not introduce itself within ${formatDuration(timeoutMs)}`;
  const toError = (): PluginError => new PluginError(key, "timed-out", problem);
  const both = AbortSignal.any([signal, endpoint.gone]);
  using deadline = createDeadline({ clock, timeoutMs, signal: both, toError });
  try {
    return await meet(deadline.signal);
  } catch (error) {
    const cause = await explainLoss(error, endpoint.gone, clock);
    await endpoint.stop();
    throw cause instanceof PluginError
      ? cause
      : new PluginError(key, "unavailable", toMessage(cause), { cause });
  }
}

/** A connection can be lost a moment before the end of the process is known. */
const endGraceMs = 250;

/** What to say about a call that failed: how the plugin ended when it did, otherwise the error itself. */
export async function explainLoss(
  error: unknown,
  gone: AbortSignal,
  clock: Clock,
): Promise<unknown> {
  if (!(error instanceof PluginError) || error.reason !== "unavailable") return error;
  const known = new AbortController();
  const settle = (): void => known.abort();
  gone.addEventListener("abort", settle, { once: true });
  if (!gone.aborted) await clock.sleep(endGraceMs, known.signal);
  gone.removeEventListener("abort", settle);
  return gone.aborted ? gone.reason : error;
}
