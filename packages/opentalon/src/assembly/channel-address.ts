import { existsSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../base/errors.ts";
import type { Config } from "../config/load-config.ts";

type ChannelEntry = Pick<Config["channels"][string], "plugin" | "github">;

/** Channels that come with the program, by the repository configuration files name them by. */
const bundledRepositories: Readonly<Record<string, string>> = {
  "opentalon/slack-channel": "slack",
  "opentalon/msteams-channel": "msteams",
};

/**
 * What `parseChannelAddress` reads for an entry. A bare name is a channel that comes with the program, where there is one
 * of that name: a definition, or a program of its own.
 * @throws ConfigError CONFIG_INVALID
 */
export function toChannelAddress(
  { plugin, github }: ChannelEntry,
  bundledChannels: string,
): string {
  if (isConsoleRepository({ plugin, github })) return "console";
  const name = plugin === "" ? (bundledRepositories[github] ?? "") : plugin.trim();
  const bundled = findBundledChannel(name, bundledChannels);
  if (bundled !== undefined) return bundled;
  if (plugin !== "" || github === "") return plugin;
  throw new ConfigError(
    "CONFIG_INVALID",
    `fetching channels from repositories is not supported yet; build ${github} and set \`plugin:\` to its path`,
  );
}

/** Older files name the console channel by its repository; it comes with the program now. */
export function isConsoleRepository({ plugin, github }: ChannelEntry): boolean {
  return plugin === "" && github === "opentalon/console-channel";
}

function findBundledChannel(name: string, bundledChannels: string): string | undefined {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) return undefined;
  const paths = ["channel.yaml", `${name}-channel`].map((file) =>
    join(bundledChannels, name, file),
  );
  return paths.find((path) => existsSync(path));
}
