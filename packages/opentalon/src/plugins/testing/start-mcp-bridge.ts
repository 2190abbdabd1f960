import { readFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { createLog } from "../../base/create-log.ts";
import type { Execution, RawToolResult } from "../../domain/plugin.ts";
import type { PluginEntry } from "../plugin-entry.ts";
import { createPluginHost, type PluginHost } from "../plugin-host.ts";
import { sourceArguments } from "../../base/testing/source-arguments.ts";

export interface RunningBridge extends AsyncDisposable {
  readonly host: PluginHost;
  readonly log: () => string;
  readonly actions: () => readonly string[];
  readonly call: (
    action: string,
    args?: Readonly<Record<string, string>>,
    changes?: Partial<Execution>,
  ) => Promise<RawToolResult>;
  /** Where the bridge runs. */
  readonly folder: string;
}

const checkout = join(import.meta.dirname, "../../../../..");

/** The bridge as a program, run from its sources. */
export const bridgeCommand: readonly string[] = [
  process.execPath,
  ...sourceArguments,
  join(checkout, "plugins/mcp/src/main.ts"),
];

/** The example server of the protocol's authors that has everything, as a program. */
export const everythingServer = join(
  checkout,
  "node_modules/@modelcontextprotocol/server-everything/dist/index.js",
);

/** Starts the bridge as the plugin `mcp` of a real host. `state` keeps what the host and the bridge keep. */
export async function startMcpBridge(
  state: string,
  config: Readonly<Record<string, unknown>>,
  changes: Partial<PluginEntry> = {},
): Promise<RunningBridge> {
  const logFile = join(state, "log");
  const host = createPluginHost({
    entries: [
      { key: "mcp", command: bridgeCommand, configJson: JSON.stringify(config), ...changes },
    ],
    configuredKeys: ["mcp"],
    environment: process.env,
    log: createLog({ level: "debug", file: logFile, pretty: false }),
    clock: systemClock,
    stateDirectory: state,
    onChange: () => undefined,
  });
  await host.start();
  return {
    host,
    folder: join(state, "plugins", "mcp"),
    log: () => readFileSync(logFile, "utf8"),
    actions: () => host.tools().map(({ action }) => action),
    call: (action, args = {}, execution = {}) =>
      host.execute("mcp", {
        callId: "c",
        action,
        arguments: args,
        signal: new AbortController().signal,
        timeoutMs: 30_000,
        ...execution,
      }),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

/** The same, with time enough for servers on a busy machine. */
export function startPatientMcpBridge(
  state: string,
  servers: readonly Readonly<Record<string, unknown>>[],
  config: Readonly<Record<string, unknown>> = {},
): Promise<RunningBridge> {
  return startMcpBridge(
    state,
    { servers, start_wait: "40s", ...config },
    { dialTimeoutMs: 60_000 },
  );
}
