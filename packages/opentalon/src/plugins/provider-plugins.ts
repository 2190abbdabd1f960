import { join } from "node:path";
import { parseMessageLimit } from "@opentalon/protocol";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import type { PluginStatus } from "../domain/plugin.ts";
import type { Environment } from "./child-environment.ts";
import { defaultSearchPath } from "./child-environment.ts";
import { untilAborted } from "./deadline.ts";
import { openProviderPlugin } from "./open-provider-plugin.ts";
import { createFence } from "./fence/create-fence.ts";
import { createOrphanGuard } from "./orphan-guard.ts";
import type { PluginEntry } from "./plugin-entry.ts";
import type { Completion, CompletionOptions, ReportedModel } from "./provider-client.ts";
import { supervise } from "./supervise.ts";
import { createTemporaryFolders } from "./temporary-folder.ts";

/** A provider plugin over all its processes. */
export interface ProviderPlugin {
  /** Key of the provider's entry. */
  readonly key: string;
  /** Resolves once the first start has succeeded, has failed, or has taken too long to be waited for. Never rejects. */
  readonly settled: Promise<void>;
  readonly isReady: () => boolean;
  /**
   * Asks a model once.
   * @throws PluginError: unavailable when the plugin is not ready; crashed, timed-out, protocol-violated. And whatever
   * `onEvent` threw.
   */
  readonly complete: (completion: Completion, options: CompletionOptions) => Promise<void>;
}

export interface ProviderPluginEntry extends PluginEntry {
  /** For the question which models there are. */
  readonly credential?: Secret | undefined;
  /** Told each time a process has said which models it has, unchecked. Must not throw. */
  readonly onModels: (models: readonly ReportedModel[]) => void;
}

export interface ProviderPluginsOptions {
  readonly entries: readonly ProviderPluginEntry[];
  /** The environment of this program; children get only a few names of it. */
  readonly environment: Environment;
  readonly log: Log;
  readonly clock: Clock;
  /** Below it the plugins have folders of their own, apart from those of tool plugins. */
  readonly stateDirectory?: string | undefined;
}

/** All provider plugins. Whatever one of them does is a state of that one, never an exception. */
export interface ProviderPlugins {
  /** One for each entry, in order. */
  readonly plugins: readonly ProviderPlugin[];
  /** Starts all side by side, in the background. */
  readonly start: () => void;
  readonly statuses: () => readonly PluginStatus[];
  /** Stops all side by side. Afterwards no process, socket or folder of them is left. */
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

/** A question that comes while a plugin starts waits for it so long, and no longer. */
const startGraceMs = 10_000;

/** Keeps provider plugins running, from `start` on. */
export function createProviderPlugins(options: ProviderPluginsOptions): ProviderPlugins {
  const { entries, environment, log, clock } = options;
  const limit = parseMessageLimit(environment["OPENTALON_GRPC_MAX_MSG_BYTES"]);
  const stateDirectory =
    options.stateDirectory === undefined ? undefined : join(options.stateDirectory, "providers");
  const folders = createTemporaryFolders(stateDirectory);
  const guard = createOrphanGuard({ log, environment });
  const searchPath = environment["PATH"] ?? defaultSearchPath;
  const fence = createFence({ searchPath, stateDirectory, clock, log });
  let tidied: Promise<void> | undefined;

  const supervised = entries.map((entry) => {
    const pluginLog = log.child({ provider: entry.key });
    const maxMessageBytes = entry.maxMessageBytes ?? limit.bytes;
    const credential = entry.credential?.reveal() ?? "";
    const shared = { environment, folders, stateDirectory, guard, fence, clock, log: pluginLog };
    const dependencies = { ...shared, maxMessageBytes, credential };
    return supervise({
      entry,
      open: async (_prepared, signal) => {
        await (tidied ??= folders.removeLeftOvers());
        const running = await openProviderPlugin(entry, dependencies, signal);
        entry.onModels(running.models);
        return running;
      },
      // Two providers cannot have one key, and nobody calls them by another name.
      claimName: () => "",
      clock,
      log: pluginLog,
      onChange: () => undefined,
    });
  });

  const begun = Promise.withResolvers<void>();
  const plugins = supervised.map((plugin): ProviderPlugin => {
    const settled = begun.promise.then(() => untilSettled(plugin.start(), clock));
    return {
      key: plugin.key,
      settled,
      isReady: () => plugin.status().state === "ready",
      complete: async (completion, callOptions) => {
        if (plugin.status().state === "starting")
          await untilAborted(plugin.key, callOptions.signal, settled);
        await plugin.running().complete(completion, callOptions);
      },
    };
  });

  return {
    plugins,
    start: begun.resolve,
    statuses: () => supervised.map((plugin) => plugin.status()),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(supervised.map((plugin) => plugin[Symbol.asyncDispose]()));
      await guard[Symbol.asyncDispose]();
    },
  };
}

async function untilSettled(started: Promise<void>, clock: Clock): Promise<void> {
  const patience = new AbortController();
  await Promise.race([started, clock.sleep(startGraceMs, patience.signal)]);
  patience.abort();
}
