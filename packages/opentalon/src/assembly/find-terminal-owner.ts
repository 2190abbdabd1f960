import type { Config } from "../config/load-config.ts";
import { parseChannelAddress } from "../channels/parse-channel-address.ts";

/**
 * The channel program that has the terminal of this program, of which there is one: the first in the configuration, when
 * a person sits there or it is the only channel, and unless our own console is there.
 */
export function findTerminalOwner(
  { channels }: Pick<Config, "channels">,
  isTerminal: boolean,
): string | undefined {
  const enabled = Object.entries(channels).filter(([, channel]) => channel.enabled);
  const kinds = enabled.map(([name, { plugin, github }]) => ({
    name,
    kind: plugin === "" && github !== "" ? "console" : toKind(plugin),
  }));
  if (kinds.some(({ kind }) => kind === "console")) return undefined;
  if (!isTerminal && enabled.length > 1) return undefined;
  return kinds.find(({ kind }) => kind === "binary")?.name;
}

function toKind(plugin: string): string {
  try {
    return parseChannelAddress(plugin).kind;
  } catch {
    // What is wrong with it is told where the channel is made.
    return "none";
  }
}
