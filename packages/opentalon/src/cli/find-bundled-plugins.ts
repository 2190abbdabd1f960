import { join } from "node:path";

/** The plugins lie beside the packages, whether the program runs from its sources or from its build. */
export function findBundledPlugins(): string {
  return join(import.meta.dirname.replace(/\/packages\/opentalon\/.*$/, ""), "plugins");
}

/** The folder of the channel definitions that come with the program. */
export function findBundledChannels(): string {
  return join(findBundledPlugins(), "..", "channels");
}
