import { readFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createLog } from "../../base/create-log.ts";
import type { Execution } from "../../domain/plugin.ts";
import type { PluginEntry } from "../plugin-entry.ts";
import type { PluginHost } from "../plugin-host.ts";
import { createPluginHost } from "../plugin-host.ts";
import { toFakePluginCommand } from "./fake-plugin-command.ts";
import type { FakePluginOptions } from "./fake-plugin-options.ts";

export interface StartedFakeHost {
  readonly host: PluginHost;
  /** Everything that was logged. */
  readonly log: () => string;
  /** How often a state or the list of tools has changed. */
  readonly changes: () => number;
}

export interface FakeHostOptions {
  /** For its state and its log. */
  readonly folder: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly configuredKeys?: readonly string[];
}

/** A host of fake plugins by key, started, and disposed of after the test. */
export async function startFakeHost(
  fakes: Readonly<Record<string, Omit<FakePluginOptions, "tls"> & Partial<PluginEntry>>>,
  { folder, environment = process.env, configuredKeys = [] }: FakeHostOptions,
): Promise<StartedFakeHost> {
  let changes = 0;
  const logFile = join(folder, "log");
  const entries = Object.entries(fakes).map(([key, fake]): PluginEntry => {
    const { tls: _, token: __, prepare: ___, ...options } = fake;
    return { command: toFakePluginCommand(options), ...fake, key };
  });
  const host = createPluginHost({
    entries,
    configuredKeys,
    environment,
    log: createLog({ level: "debug", file: logFile, pretty: false }),
    clock: systemClock,
    stateDirectory: join(folder, "state"),
    onChange: () => (changes += 1),
  });
  onTestFinished(() => host[Symbol.asyncDispose]());
  await host.start();
  return { host, log: () => readFileSync(logFile, "utf8"), changes: () => changes };
}

export function toExecution(action: string, changes: Partial<Execution> = {}): Execution {
  const { signal } = new AbortController();
  return { callId: "c", action, arguments: {}, signal, timeoutMs: 10_000, ...changes };
}
