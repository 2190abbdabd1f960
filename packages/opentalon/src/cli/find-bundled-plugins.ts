import { join } from "node:path";

/** The plugins lie beside the packages, whether the program runs from its sources or from its build. */
export function findBundledPlugins(): string {
  return join(import.meta.dirname.replace(/\/packages\/opentalon\/.*$/, ""), "plugins");
}
