import { ConfigError } from "../base/errors.ts";
import { loadPart } from "../opentalon.ts";
import { load, reportError } from "./load.ts";

/** `opentalon config check`: exit code 0 when the file is fine, warnings on standard error. */
export async function checkConfig(path: string): Promise<number> {
  const loaded = await load(path);
  if (loaded === undefined) return 1;
  for (const { message } of loaded.warnings) process.stderr.write(`warning: ${message}\n`);
  const { findProviderProblems } = await loadPart.providerChecks();
  const problems = await findProviderProblems(loaded.config);
  if (problems.length > 0) {
    reportError(new ConfigError("CONFIG_INVALID", problems.join("\n")));
    return 1;
  }
  process.stdout.write(`${loaded.path} is fine\n`);
  return 0;
}

/** `opentalon config show`. */
export async function showConfig(path: string): Promise<number> {
  const loaded = await load(path);
  if (loaded === undefined) return 1;
  process.stdout.write(loaded.toRedactedYaml());
  return 0;
}
