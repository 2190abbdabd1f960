import { readFileSync, realpathSync, statSync } from "node:fs";
import { systemClock } from "../base/clock.ts";
import { ConfigError, toMessage } from "../base/errors.ts";
import { replaceFile } from "../base/replace-file.ts";
import { editEntries, type EntryEdit } from "../config/edit-entries.ts";
import { parseConfig } from "../config/load-config.ts";
import { readEnvironment } from "../config/read-environment.ts";

/**
 * Changes the plugins or channels of a configuration file as a whole: nobody ever finds half of it, and never one that no longer loads.
 * @throws ConfigError; the file is as it was then.
 */
export async function editConfigFile(path: string, edit: EntryEdit): Promise<void> {
  // What a link leads to is changed, not the link.
  const file = realpathSync(path);
  let problem: unknown;
  const toText = (): string | undefined => {
    try {
      return toEdited(path, edit);
    } catch (error) {
      problem = error;
      return undefined;
    }
  };
  const mode = statSync(file).mode & 0o777;
  await replaceFile({ path: file, mode, clock: systemClock, toText }).catch((error: unknown) => {
    throw new ConfigError(
      "CONFIG_UNREADABLE",
      `${file} cannot be written: ${toMessage(error)}; change it by hand`,
    );
  });
  if (problem instanceof Error) throw problem;
}

/** The text of the file after the change. @throws ConfigError when it cannot be made, or would not load. */
export function toEdited(path: string, edit: EntryEdit): string {
  const text = editEntries(readFileSync(path, "utf8"), edit);
  parseConfig({ text, path, environment: readEnvironment() });
  return text;
}
