import type { Channel } from "../../domain/channel.ts";
import { formatMessage, formatWords, splitFormattedMessage } from "./format-message.ts";

/** The channel with its messages brought into the format it shows; what it can do may become known later. */
export function withFormat(channel: Channel): Channel {
  return {
    ...channel,
    get knowsRepeats() {
      return channel.knowsRepeats ?? false;
    },
    split: (message) => splitFormattedMessage(message, channel.capabilities()),
    send: (message, deliveryId) =>
      channel.send(formatMessage(message, channel.capabilities()), deliveryId),
    formatWords: (words) => formatWords(words, channel.capabilities()),
  };
}
