/** The kind a sender says it stands for, else the channel's own: it may be anything but the terminal of this process. */
export function toChannelKind(claimed: string, own: string): string {
  return /^[a-z0-9][a-z0-9_-]{0,63}$/.test(claimed) && claimed !== "console" ? claimed : own;
}
