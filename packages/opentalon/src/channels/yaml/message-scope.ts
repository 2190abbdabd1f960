import type { FileAttachment } from "../../domain/message.ts";
import type { Scope } from "./template.ts";

export interface ScopedMessage {
  readonly conversationId: string;
  readonly threadId: string;
  readonly content: string;
  readonly senderId?: string | undefined;
  readonly files: readonly FileAttachment[];
  readonly metadata: Readonly<Record<string, string>>;
  /** What the definition calls the format of `content`; absent when that is plain. */
  readonly format?: string | undefined;
}

/** A message as templates see it: `{{msg.content}}`, `{{msg.metadata.ts}}`, `{{msg.file_0_name}}`, … */
export function toMessageLookup(message: ScopedMessage, messageId = ""): (key: string) => unknown {
  const { files, metadata } = message;
  return (key) => {
    if (key.startsWith("metadata.")) {
      const name = key.slice("metadata.".length);
      return Object.hasOwn(metadata, name) ? metadata[name] : undefined;
    }
    const file = /^file_(\d{1,3})_(name|mime_type|size|data)$/.exec(key);
    if (file !== null) return toFileField(files[Number(file[1])], file[2] ?? "");
    switch (key) {
      case "conversation_id":
        return message.conversationId;
      case "thread_id":
        return message.threadId;
      case "content":
        return message.content;
      case "format":
        return message.format;
      case "sender_id":
        return message.senderId;
      case "message_id":
        return messageId;
      case "has_files":
        return files.length > 0;
      case "file_count":
        return files.length;
      case "files_json":
        return files.length === 0 ? "" : files.map(toFileDocument);
      default:
        return undefined;
    }
  };
}

/** For hooks `event` and `msg` mean the same. */
export function toHookScope(message: ScopedMessage): Scope {
  const lookup = toMessageLookup(message);
  return { event: lookup, msg: lookup };
}

/** The file that a request is about: `{{file.name}}`, … */
export function toFileLookup(file: FileAttachment): (key: string) => unknown {
  return (key) => (fileFields.has(key) ? toFileField(file, key) : undefined);
}

const fileFields: ReadonlySet<string> = new Set(["name", "mime_type", "size", "data"]);

function toFileDocument({ name, mimeType, data }: FileAttachment): unknown {
  return { name, mime_type: mimeType, data: toBase64(data), size: data.byteLength };
}

function toFileField(file: FileAttachment | undefined, field: string): unknown {
  if (file === undefined) return undefined;
  switch (field) {
    case "name":
      return file.name;
    case "mime_type":
      return file.mimeType;
    case "size":
      return file.data.byteLength;
    default:
      return toBase64(file.data);
  }
}

function toBase64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
}
