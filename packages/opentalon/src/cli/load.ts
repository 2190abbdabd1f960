import { homedir } from "node:os";
import { join } from "node:path";
import { OpenTalonError } from "../base/errors.ts";
import { toPrintableText } from "../base/printable.ts";
import { redactSecrets } from "../base/secret.ts";
import { type LoadedConfig, type LoadOptions, loadConfig } from "../config/load-config.ts";
import { readEnvironment } from "../config/read-environment.ts";

/** Loads the configuration, or says on standard error what is wrong with it. */
export async function load(
  path: string,
  { needs = "all" }: Pick<LoadOptions, "needs"> = {},
): Promise<LoadedConfig | undefined> {
  const file = path.startsWith("~/") ? join(homedir(), path.slice(2)) : path;
  try {
    return await loadConfig({ path: file, environment: readEnvironment(), needs });
  } catch (error) {
    reportError(error);
    return undefined;
  }
}

/** An error the operator can act on as words; anything else with its stack, since it is a defect. */
export function reportError(error: unknown): void {
  // Error texts quote files, servers and plugins.
  process.stderr.write(`${toPrintableText(redactSecrets(toReport(error)))}\n`);
}

function toReport(error: unknown): string {
  if (error instanceof OpenTalonError)
    return `opentalon: ${error.message.trimEnd()}\n(${error.code})`;
  return `opentalon: unexpected error\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}
