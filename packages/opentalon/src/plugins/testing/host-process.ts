/**
 * A program that runs plugins, for tests that kill it:
 *
 *     node --conditions=@opentalon/source host-process.ts '<PluginEntry[] as JSON>'
 *
 * Prints one line once every plugin is ready or has failed: the states as JSON.
 */
import { systemClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import type { PluginEntry } from "../plugin-entry.ts";
import { createPluginHost } from "../plugin-host.ts";

const host = createPluginHost({
  entries: JSON.parse(process.argv[2] ?? "[]") as PluginEntry[],
  configuredKeys: [],
  environment: process.env,
  log: createSilentLog(),
  clock: systemClock,
  onChange: () => {},
});
await host.start();
console.log(JSON.stringify(host.statuses()));
setInterval(() => {}, 1_000);
