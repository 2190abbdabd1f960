import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { RawToolResult } from "../../domain/plugin.ts";
import { createFence } from "../fence/create-fence.ts";
import type { PluginEntry } from "../plugin-entry.ts";
import type { PluginHost } from "../plugin-host.ts";
import { createPluginHost } from "../plugin-host.ts";
import { toFakePluginCommand } from "./fake-plugin-command.ts";

export interface AttackedHost extends AsyncDisposable {
  readonly host: PluginHost;
  /** State folder, in which the plugins have their folders. */
  readonly folder: string;
  /** Calls an action of a plugin; the error is that of the plugin host, in words. */
  readonly call: (
    plugin: "attacker" | "neighbour",
    action: string,
    given?: Readonly<Record<string, string>>,
  ) => Promise<RawToolResult>;
  /** The same, for what has to fail: the words its caller reads. */
  readonly failure: (action: string, given?: Readonly<Record<string, string>>) => Promise<string>;
}

export interface AttackedHostOptions {
  /** Bounds of the attacker. */
  readonly attacker?: Partial<PluginEntry>;
  /** `false`: as where no control group can be written. */
  readonly cgroups?: boolean;
}

/** Two plugins side by side, of which one attacks. Disposal leaves nothing. */
export async function startAttackedHost({
  attacker = {},
  cgroups,
}: AttackedHostOptions): Promise<AttackedHost> {
  const folder = await mkdtemp(join(tmpdir(), "opentalon-test-"));
  const log = createSilentLog();
  const clock = systemClock;
  const searchPath = process.env["PATH"] ?? "";
  const host = createPluginHost({
    entries: [
      { key: "attacker", command: toFakePluginCommand({ name: "attacker" }), ...attacker },
      { key: "neighbour", command: toFakePluginCommand({ name: "neighbour" }) },
    ],
    configuredKeys: [],
    environment: process.env,
    log,
    clock,
    stateDirectory: folder,
    fence: createFence({ searchPath, stateDirectory: folder, clock, log, cgroups }),
    onChange: () => {},
  });
  await host.start();
  const call: AttackedHost["call"] = (plugin, action, given = {}) =>
    host.execute(plugin, {
      callId: "1",
      action,
      arguments: given,
      signal: new AbortController().signal,
      timeoutMs: 60_000,
    });
  return {
    host,
    folder,
    call,
    failure: async (action, given) => {
      const outcome = await call("attacker", action, given).catch((error: unknown) => error);
      if (outcome instanceof Error) return outcome.message;
      throw new Error(`${action} did not fail: ${JSON.stringify(outcome)}`);
    },
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
