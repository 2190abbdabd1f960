import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { channelMessages as messages } from "@opentalon/protocol";
import type { ChannelDefinition, IncomingMessage, OutgoingMessage } from "./define-channel.ts";

/** What the platform can do, as it goes over the wire. */
export function toCapabilities(channel: ChannelDefinition): messages.ChannelCapabilities {
  const { maxMessageLength = 0, ...abilities } = channel.capabilities ?? {};
  return create(messages.ChannelCapabilitiesSchema, {
    id: channel.id,
    name: channel.name,
    ...abilities,
    typing: channel.typing !== undefined,
    maxMessageLength: BigInt(maxMessageLength),
  });
}

/** The tools of a channel, as they go over the wire. */
export function toTools({ tools = [] }: ChannelDefinition): messages.ToolsResponse {
  return create(messages.ToolsResponseSchema, {
    tools: tools.map((tool) => ({
      plugin: tool.tool ?? "",
      description: tool.toolDescription ?? "",
      action: tool.action,
      actionDescription: tool.description,
      method: tool.method,
      url: tool.url,
      body: tool.body ?? "",
      headers: { ...tool.headers },
      requiredEnv: [...(tool.requiredEnvironment ?? [])],
      parameters: Object.entries(tool.parameters ?? {}).map(([name, parameter]) => {
        const { description, required = true } =
          typeof parameter === "string" ? { description: parameter } : parameter;
        return { name, description, required };
      }),
    })),
  });
}

/** A message of a person, as it goes over the wire. */
export function toInboundMessage(
  message: IncomingMessage,
  channelId: string,
  receipt: string,
): messages.InboundMessage {
  const { threadId = "", senderName = "", files = [], sentAt = new Date(), messageId } = message;
  const metadata: Record<string, string> = { ...message.metadata };
  if (messageId !== undefined) metadata["message_id"] = messageId;
  return create(messages.InboundMessageSchema, {
    channelId,
    kind: channelId,
    receipt,
    conversationId: message.conversationId.toWellFormed(),
    threadId: threadId.toWellFormed(),
    senderId: message.senderId.toWellFormed(),
    senderName: senderName.toWellFormed(),
    content: message.content.toWellFormed(),
    files: files.map(({ name, mimeType, data }) => ({
      name: name.toWellFormed(),
      mimeType: mimeType.toWellFormed(),
      data: Uint8Array.from(data),
      size: BigInt(data.byteLength),
    })),
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([name, value]) => [name.toWellFormed(), value.toWellFormed()]),
    ),
    timestamp: timestampFromDate(sentAt),
  });
}

/** What OpenTalon says, as the author gets it. */
export function toOutgoingMessage(message: messages.OutboundMessage): OutgoingMessage {
  const { conversationId, threadId, deliveryId, content, metadata } = message;
  const files = message.files.map(({ name, mimeType, data }) => ({ name, mimeType, data }));
  return { conversationId, threadId, deliveryId, content, files, metadata };
}
