import type { Clock } from "../base/clock.ts";
import { createDeadline } from "../base/deadline.ts";
import { formatDuration } from "../base/duration.ts";
import { PluginError, toMessage } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { createConnectionWatch } from "./connection-watch.ts";
import type { GenerationMemory } from "./detect-generation.ts";
import type { LaunchDependencies, LaunchedPlugin } from "./launch.ts";
import { launchPlugin } from "./launch.ts";
import { loadGrpc, openPluginClient } from "./open-plugin-client.ts";
import type { PluginAddress } from "./plugin-address.ts";
import { parseRemoteAddress } from "./plugin-address.ts";
import type { PluginClient } from "./plugin-client.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import type { RunningPlugin } from "./supervise.ts";
import { isPluginName, toPluginCapabilities } from "./to-capabilities.ts";

export interface OpenPluginDependencies extends Omit<LaunchDependencies, "log"> {
  readonly generations: GenerationMemory;
  readonly clock: Clock;
  /** Log of this plugin: every line names it. */
  readonly log: Log;
  readonly maxMessageBytes: number;
}

const defaultHandshakeTimeoutMs = 60_000;
const defaultDialTimeoutMs = 5_000;
const maxCallsAtOnce = 256;

/**
 * Starts a plugin once, from its process to its list of actions; or connects to one that runs elsewhere.
 * @throws PluginError; nothing of the plugin is left then.
 */
export async function openPlugin(
  entry: PluginEntry,
  dependencies: OpenPluginDependencies,
  signal: AbortSignal,
): Promise<RunningPlugin> {
  const { key, command } = entry;
  const remote = parseRemoteAddress(key, command);
  if (remote !== undefined) return openRemote(entry, remote, dependencies, signal);

  const handshakeTimeoutMs = entry.handshakeTimeoutMs ?? defaultHandshakeTimeoutMs;
  const { workingDirectory, env } = entry;
  const launched = await launchPlugin(
    {
      plugin: key,
      command,
      workingDirectory,
      env,
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
  return join(
    entry,
    dependencies,
    { gone: watch.gone, stop: launched.stop },
    AbortSignal.any([signal, launched.gone]),
    (dialSignal) =>
      openPluginClient({
        plugin: key,
        address,
        command,
        generations: dependencies.generations,
        clock,
        onDoubt: watch.doubt,
        maxMessageBytes: entry.maxMessageBytes ?? dependencies.maxMessageBytes,
        signal: dialSignal,
      }),
  );
}

async function openRemote(
  entry: PluginEntry,
  address: PluginAddress,
  dependencies: OpenPluginDependencies,
  signal: AbortSignal,
): Promise<RunningPlugin> {
  const { createGrpcPluginClient } = await loadGrpc();
  const { key } = entry;
  const gone = new AbortController();
  const lost = (): void =>
    gone.abort(
      new PluginError(key, "unavailable", `the connection to the plugin "${key}" was lost`),
    );
  const { clock } = dependencies;
  const maxMessageBytes = entry.maxMessageBytes ?? dependencies.maxMessageBytes;
  return join(entry, dependencies, { gone: gone.signal, stop: async () => {} }, signal, async () =>
    createGrpcPluginClient({ plugin: key, address, maxMessageBytes, clock, onDoubt: lost }),
  );
}

/** Connects and introduces ourselves, under one deadline. */
async function join(
  entry: PluginEntry,
  dependencies: OpenPluginDependencies,
  host: Pick<LaunchedPlugin, "gone" | "stop">,
  signal: AbortSignal,
  connect: (signal: AbortSignal) => Promise<PluginClient>,
): Promise<RunningPlugin> {
  const { key, command, configJson = "{}", dialTimeoutMs = defaultDialTimeoutMs } = entry;
  const { clock, generations, log } = dependencies;
  const toError = (): PluginError =>
    new PluginError(
      key,
      "timed-out",
      `the plugin "${key}" did not introduce itself within ${formatDuration(dialTimeoutMs)}`,
    );
  using deadline = createDeadline({ clock, timeoutMs: dialTimeoutMs, signal, toError });
  let client: PluginClient | undefined;
  try {
    client = await connect(deadline.signal);
    await client.init(configJson, deadline.signal);
    const capabilities = toPluginCapabilities(await client.capabilities(deadline.signal), key, log);
    if (!isPluginName(capabilities.name)) {
      const problem = `the plugin "${key}" reports a name no action can be called by: ${JSON.stringify(capabilities.name.slice(0, 100))}`;
      throw new PluginError(key, "protocol-violated", problem);
    }
    return createRunning(key, client, capabilities, host, clock);
  } catch (error) {
    generations.forget(command);
    const cause = await explainLoss(error, host.gone, clock);
    await client?.[Symbol.asyncDispose]();
    await host.stop();
    throw cause instanceof PluginError
      ? cause
      : new PluginError(key, "unavailable", toMessage(cause), { cause });
  }
}

function createRunning(
  key: string,
  client: PluginClient,
  capabilities: RunningPlugin["capabilities"],
  { gone, stop }: Pick<LaunchedPlugin, "gone" | "stop">,
  clock: Clock,
): RunningPlugin {
  let calls = 0;
  return {
    capabilities,
    gone,
    execute: async (execution) => {
      if (calls >= maxCallsAtOnce) {
        throw new PluginError(
          key,
          "unavailable",
          `the plugin "${key}" is busy with ${calls} calls; try again later`,
        );
      }
      calls += 1;
      try {
        const signal = AbortSignal.any([execution.signal, gone]);
        return await client.execute({ ...execution, signal }, capabilities.name);
      } catch (error) {
        throw execution.signal.aborted ? error : await explainLoss(error, gone, clock);
      } finally {
        calls -= 1;
      }
    },
    stop: async () => {
      await client[Symbol.asyncDispose]();
      await stop();
    },
  };
}

/** A connection can be lost a moment before the end of the process is known. */
const endGraceMs = 250;

/** What to say about a call that failed: how the plugin ended when it did, otherwise the error itself. */
async function explainLoss(error: unknown, gone: AbortSignal, clock: Clock): Promise<unknown> {
  if (!(error instanceof PluginError) || error.reason !== "unavailable") return error;
  const known = new AbortController();
  const settle = (): void => known.abort();
  gone.addEventListener("abort", settle, { once: true });
  if (!gone.aborted) await clock.sleep(endGraceMs, known.signal);
  gone.removeEventListener("abort", settle);
  return gone.aborted ? gone.reason : error;
}
