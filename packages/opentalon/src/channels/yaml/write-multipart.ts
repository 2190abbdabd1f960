import { ChannelError } from "../../base/errors.ts";
import type { FileAttachment } from "../../domain/message.ts";
import type { PartTemplate } from "./definition.ts";
import { renderText, type Scope } from "./template.ts";

export interface MultipartOptions {
  /** Stands between the parts; nobody who fills them can know it. */
  readonly boundary: string;
  readonly scope: Scope;
  readonly file: FileAttachment | undefined;
  /** Where the request stands in its definition, for messages. */
  readonly place: string;
}

/**
 * The parts as a `multipart/form-data` body. Parts whose value is empty are left out.
 * @throws ChannelError CHANNEL_REFUSED when a part is the file and there is none.
 */
export function writeMultipart(
  parts: readonly PartTemplate[],
  { boundary, scope, file, place }: MultipartOptions,
): Buffer {
  const chunks: Buffer[] = [];
  const add = (headers: readonly string[], content: Buffer): void => {
    const head = [`--${boundary}`, ...headers, "", ""].join("\r\n");
    chunks.push(Buffer.from(head), content, Buffer.from("\r\n"));
  };
  for (const { name, content } of parts) {
    const disposition = `Content-Disposition: form-data; name="${toQuoted(name)}"`;
    if (content.kind === "text") {
      const value = renderText(content.value, scope).toWellFormed();
      if (value !== "") add([disposition], Buffer.from(value));
      continue;
    }
    if (file === undefined) {
      throw new ChannelError("CHANNEL_REFUSED", `${place}: there is no file to send`);
    }
    const { buffer, byteOffset, byteLength } = file.data;
    const type = content.mimeType === undefined ? "" : renderText(content.mimeType, scope);
    add(
      [
        `${disposition}; filename="${toQuoted(file.name)}"`,
        `Content-Type: ${toMediaType(type === "" ? file.mimeType : type)}`,
      ],
      Buffer.from(buffer, byteOffset, byteLength),
    );
  }
  chunks.push(Buffer.from(`--${boundary}--\r\n`));
  return Buffer.concat(chunks);
}

/** As browsers write it: nothing in it ends the header or the quotes. */
function toQuoted(text: string): string {
  return text.toWellFormed().replaceAll("\n", "%0A").replaceAll("\r", "%0D").replaceAll('"', "%22");
}

function toMediaType(text: string): string {
  return /^[\w.+-]+\/[\w.+-]+(?:;[\x20-\x7e]*)?$/.test(text) ? text : "application/octet-stream";
}
