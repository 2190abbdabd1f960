import {
  type APIActionRowComponent,
  type APIButtonComponentWithCustomId,
  ButtonStyle,
  ComponentType,
  type RESTPostAPIChannelMessageJSONBody,
} from "@discordjs/core/http-only";
import type { RawFile } from "@discordjs/rest";
import type { ChannelFile, OutgoingMessage } from "@opentalon/plugin-sdk";

/** What Discord is given for a message, new or changed. */
export interface MessageBody {
  readonly content: string;
  readonly components: RESTPostAPIChannelMessageJSONBody["components"];
  readonly allowed_mentions: NonNullable<RESTPostAPIChannelMessageJSONBody["allowed_mentions"]>;
  readonly files: RawFile[];
}

/** Characters of one message. */
export const maxMessageLength = 2_000;

/** Without boosts; what is larger a server refuses. */
const maxFileBytes = 10 * 1024 * 1024;
const maxFiles = 10;
const maxButtonLength = 100;

/** Files that do not fit are named in the text instead. */
export function toMessageBody({
  content,
  files,
  metadata,
}: Pick<OutgoingMessage, "content" | "files" | "metadata">): MessageBody {
  const fitting = files.filter(({ data }) => data.byteLength <= maxFileBytes).slice(0, maxFiles);
  const missing = files.filter((file) => !fitting.includes(file)).map(toMissingWords);
  return {
    content: withNote(content, missing.join("\n")),
    components: toButtons(metadata),
    // Whatever a model writes: nobody is called by it but the person who is answered.
    allowed_mentions: { parse: [], replied_user: true },
    files: fitting.map(({ name, mimeType, data }, index) => ({
      name: name === "" ? `file-${index + 1}` : name,
      contentType: mimeType,
      data: Buffer.from(data),
    })),
  };
}

/** The same without its files, each of which is named. */
export function withoutFiles(message: OutgoingMessage): OutgoingMessage {
  const note = message.files.map(toMissingWords).join("\n");
  return { ...message, files: [], content: withNote(message.content, note) };
}

function toMissingWords({ name, data }: ChannelFile): string {
  const megabytes = (data.byteLength / 1_048_576).toFixed(1);
  const words =
    data.byteLength > maxFileBytes
      ? "Discord takes files up to 10 MiB"
      : "Discord takes ten files a message, and no more than a server allows";
  return `-# The file ${JSON.stringify(name.slice(0, 100))} (${megabytes} MiB) could not be sent: ${words}.`;
}

function withNote(content: string, note: string): string {
  if (note === "") return content;
  const whole = content === "" ? note : `${content}\n\n${note}`;
  return whole.length <= maxMessageLength
    ? whole
    : `${content.slice(0, maxMessageLength - 60)}\n\n-# Files could not be sent: too large for Discord.`;
}

function toButtons(
  metadata: OutgoingMessage["metadata"],
): RESTPostAPIChannelMessageJSONBody["components"] {
  if (metadata["type"] !== "confirmation") return [];
  const callId = metadata["tool_call_id"] ?? "";
  const options = (metadata["options"] ?? "approve,reject").split(",");
  const toButton = (
    option: "approve" | "reject",
    label: string,
    style: ButtonStyle.Success | ButtonStyle.Danger,
  ): APIButtonComponentWithCustomId[] => {
    if (!options.includes(option)) return [];
    const id = `${option}:${callId}`;
    const custom_id = id.length <= maxButtonLength ? id : `${option}:`;
    return [{ type: ComponentType.Button, style, label, custom_id }];
  };
  const row: APIActionRowComponent<APIButtonComponentWithCustomId> = {
    type: ComponentType.ActionRow,
    components: [
      ...toButton("approve", "Approve", ButtonStyle.Success),
      ...toButton("reject", "Reject", ButtonStyle.Danger),
    ],
  };
  return row.components.length === 0 ? [] : [row];
}
