import { delimiter, dirname } from "node:path";
import type { Secret } from "../base/secret.ts";
import { isSecret } from "../base/secret.ts";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface ChildEnvironmentOptions {
  /** The environment of this program, of which only a few names are passed on. */
  readonly host: Environment;
  /** What the configuration adds; wins over everything else. */
  readonly added: Readonly<Record<string, string | Secret>>;
  readonly temporaryFolder: string;
}

/** Where programs are looked for when nothing else is said. */
export const defaultSearchPath = "/usr/local/bin:/usr/bin:/bin";

const passedOn = /^(?:HOME|LANG|LC_[A-Z]+|TZ|OPENTALON_GRPC_MAX_MSG_BYTES)$/;

/**
 * The environment of a child process, built from an allow-list, so that no secret of the host reaches it. The folder of
 * our own Node comes last on PATH: plugins that are scripts run where no Node is installed.
 */
export function toChildEnvironment({
  host,
  added,
  temporaryFolder,
}: ChildEnvironmentOptions): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(host)) {
    if (value !== undefined && passedOn.test(name)) environment[name] = value;
  }
  const path = host["PATH"] ?? defaultSearchPath;
  environment["PATH"] = [path, dirname(process.execPath)].join(delimiter);
  environment["TMPDIR"] = temporaryFolder;
  for (const [name, value] of Object.entries(added))
    environment[name] = isSecret(value) ? value.reveal() : value;
  return environment;
}
