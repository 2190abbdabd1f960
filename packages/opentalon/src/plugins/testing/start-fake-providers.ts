import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { ReportedModel } from "../provider-client.ts";
import type { ProviderPlugin, ProviderPluginEntry, ProviderPlugins } from "../provider-plugins.ts";
import { createProviderPlugins } from "../provider-plugins.ts";
import type { FakeProviderOptions } from "./fake-provider-options.ts";
import { toFakeProviderCommand } from "./fake-provider-options.ts";
import { present } from "./present.ts";

export interface StartedFakeProvider extends AsyncDisposable {
  readonly plugin: ProviderPlugin;
  readonly host: ProviderPlugins;
  /** What it said of its models, each time it started. */
  readonly told: readonly (readonly ReportedModel[])[];
}

/** One fake provider plugin under supervision, running or failed. */
export async function startFakeProvider(
  options: FakeProviderOptions = {},
  changes: Partial<ProviderPluginEntry> = {},
): Promise<StartedFakeProvider> {
  const told: (readonly ReportedModel[])[] = [];
  const entry: ProviderPluginEntry = {
    key: "test",
    command: toFakeProviderCommand(options),
    dialTimeoutMs: 15_000,
    onModels: (models) => told.push(models),
    ...changes,
  };
  const host = createProviderPlugins({
    entries: [entry],
    environment: process.env,
    log: createSilentLog(),
    clock: systemClock,
  });
  const plugin = present(host.plugins[0]);
  host.start();
  await plugin.settled;
  return { plugin, host, told, [Symbol.asyncDispose]: () => host[Symbol.asyncDispose]() };
}
