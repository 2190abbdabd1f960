import { existsSync, readdirSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Config } from "../config/load-config.ts";
import { findNearestName } from "../config/nearest-name.ts";
import type { WantedBuild } from "../plugins/sources/built-sources.ts";
import { isFolder, toBuildSource } from "./source-folders.ts";

/** The keys of an entry that say what the channel is. */
type ChannelEntry = Pick<Config["channels"][string], "plugin" | "github" | "ref">;

/** What an entry below `channels:` leads to. */
export type ChannelProgram =
  /** For `parseChannelAddress`. */
  | { readonly kind: "address"; readonly address: string }
  /** It has to be fetched first, and built unless it is a definition. */
  | { readonly kind: "built"; readonly wanted: WantedBuild };

/** Channels that come with the program, by the repository configuration files name them by. */
const bundledRepositories: Readonly<Record<string, string>> = {
  "opentalon/slack-channel": "slack",
  "opentalon/msteams-channel": "msteams",
};

/**
 * `bundledChannels` is the folder of the channels that come with the program: definitions, and programs of their own. A bare
 * name is one of them, where there is one of that name.
 */
export function findChannelProgram(
  name: string,
  { plugin, github, ref }: ChannelEntry,
  bundledChannels: string,
): ChannelProgram {
  if (isConsoleRepository({ plugin, github })) return { kind: "address", address: "console" };
  const written = plugin.trim();
  const bundled = findBundledChannel(
    written === "" ? (bundledRepositories[github] ?? "") : written,
    bundledChannels,
  );
  if (bundled !== undefined) return { kind: "address", address: bundled };
  if (written !== "" || github === "") {
    if (!isAbsolute(written) || !isFolder(written)) return { kind: "address", address: plugin };
    return { kind: "built", wanted: toWanted(name, { kind: "folder", path: written }) };
  }
  return { kind: "built", wanted: toWanted(name, toBuildSource(github, ref)) };
}

/** Older files name the console channel by its repository; it comes with the program now. */
export function isConsoleRepository({
  plugin,
  github,
}: Pick<ChannelEntry, "plugin" | "github">): boolean {
  return plugin === "" && github === "opentalon/console-channel";
}

/** The name under which a channel that comes with OpenTalon is configured. */
export function toBundledChannelName(name: string, bundledChannels: string): string | undefined {
  const own = bundledRepositories[name] ?? name;
  if (own === "console" || own === "webchat") return own;
  if (own === "opentalon/console-channel") return "console";
  return findBundledChannel(own, bundledChannels) && own;
}

function findBundledChannel(name: string, bundledChannels: string): string | undefined {
  if (!bareName.test(name)) return undefined;
  const paths = ["channel.yaml", `${name}-channel`].map((file) =>
    join(bundledChannels, name, file),
  );
  return paths.find((path) => existsSync(path));
}

/** The channel that comes along and was probably meant by a bare name that is none. */
export function suggestBundledChannel(plugin: string, bundledChannels: string): string | undefined {
  const written = plugin.trim();
  if (!bareName.test(written)) return undefined;
  const names = readdirSync(bundledChannels).filter(
    (name) => findBundledChannel(name, bundledChannels) !== undefined,
  );
  const known = ["console", "webchat", ...names];
  return known.includes(written) ? undefined : findNearestName(written, known);
}

const bareName = /^[a-z][a-z0-9-]*$/;

function toWanted(name: string, source: WantedBuild["source"]): WantedBuild {
  return { name, source, bundle: "" };
}
