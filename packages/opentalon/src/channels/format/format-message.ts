import type { ChannelCapabilities } from "../../domain/channel.ts";
import type { OutboundMessage } from "../../domain/message.ts";
import { splitMessage } from "../split-message.ts";
import { formatText, isFormat, splitFormatted } from "./format-text.ts";

type FormatCapabilities = Pick<
  ChannelCapabilities,
  "responseFormat" | "responseFormatPrompt" | "maxMessageLength"
>;

/**
 * The format that Markdown is turned into for a channel, `""` for none: also where the channel asks models to write in its
 * own words (`response_format_prompt`).
 */
export function toTargetFormat({
  responseFormat,
  responseFormatPrompt,
}: Omit<FormatCapabilities, "maxMessageLength">): string {
  return responseFormatPrompt === "" && isFormat(responseFormat) ? responseFormat : "";
}

/** A message as the one its platform takes, whatever its length. */
export function formatMessage(
  message: OutboundMessage,
  capabilities: FormatCapabilities,
): OutboundMessage {
  const format = toTargetFormat(capabilities);
  if (format === "" || message.isFormatted === true || message.content === "") return message;
  const [content = ""] = formatText(message.content, format);
  return { ...message, content, isFormatted: true };
}

/** A message as the messages its platform takes, formatted and none longer than it may be. */
export function splitFormattedMessage(
  message: OutboundMessage,
  capabilities: FormatCapabilities,
): readonly OutboundMessage[] {
  const { maxMessageLength, responseFormat } = capabilities;
  const format = toTargetFormat(capabilities);
  const { content, isFormatted = false } = message;
  if (content === "" || (format === "" && !isFormatted))
    return splitMessage(message, maxMessageLength);
  const contents = isFormatted
    ? splitFormatted(content, responseFormat, maxMessageLength)
    : formatText(content, format, maxMessageLength);
  return splitMessage({ ...message, isFormatted: true }, contents);
}

/** Words of ours in the format of a channel, to stand beside text that is in it already. */
export function formatWords(words: string, capabilities: FormatCapabilities): string {
  const format = toTargetFormat(capabilities);
  return format === "" ? words : (formatText(words, format)[0] ?? words);
}
