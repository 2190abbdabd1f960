import type { Config } from "../config/load-config.ts";
import { parseChannelAddress } from "../channels/parse-channel-address.ts";
import { findChannelProgram } from "./channel-program.ts";

/**
 * The channel program that has the terminal of this program, of which there is one: the first in the configuration, when
 * a person sits there or it is the only channel, and unless our own console is there. What has to be fetched yet counts as
 * a program; those that come along know nothing of terminals.
 */
export function findTerminalOwner(
  { channels }: Pick<Config, "channels">,
  { isTerminal, bundledChannels }: { isTerminal: boolean; bundledChannels: string },
): string | undefined {
  const enabled = Object.entries(channels).filter(([, channel]) => channel.enabled);
  const kinds = enabled.map(([name, entry]) => {
    const program = findChannelProgram(name, entry, bundledChannels);
    return { name, kind: program.kind === "built" ? "binary" : toKind(program, bundledChannels) };
  });
  if (kinds.some(({ kind }) => kind === "console")) return undefined;
  if (!isTerminal && enabled.length > 1) return undefined;
  return kinds.find(({ kind }) => kind === "binary")?.name;
}

function toKind({ address }: { readonly address: string }, bundledChannels: string): string {
  try {
    return address.startsWith(bundledChannels) ? "none" : parseChannelAddress(address).kind;
  } catch {
    // What is wrong with it is told where the channel is made.
    return "none";
  }
}
