import { StoreError, toMessage } from "../base/errors.ts";
import type { FileAttachment } from "../domain/message.ts";

/** A message as columns. JSON keeps every string, U+0000 and lone surrogates included; the files stay bytes. */
export interface MessagePayload {
  /** JSON: whence or where to. */
  readonly payload: string;
  /** JSON: what was said; empty once nobody needs it any more. */
  readonly body: string;
  /** Bytes of the files, one after another; the body knows their sizes. */
  readonly files: Uint8Array | null;
}

interface Said {
  readonly content: string;
  readonly files: readonly FileAttachment[];
}

interface StoredPayload {
  readonly sessionKey: string;
  readonly message: Readonly<Record<string, unknown>>;
}

interface StoredBody {
  readonly content: string;
  readonly files: readonly {
    readonly name: string;
    readonly mimeType: string;
    readonly size: number;
  }[];
}

export interface Restored<Message> {
  readonly sessionKey: string;
  readonly message: Message;
}

export function toMessagePayload(sessionKey: string, said: Said): MessagePayload {
  const { content, files, ...message } = said;
  const sizes = files.map(({ name, mimeType, data }) => ({
    name,
    mimeType,
    size: data.byteLength,
  }));
  return {
    payload: JSON.stringify({ sessionKey, message }),
    body: JSON.stringify({ content, files: sizes }),
    files: files.length === 0 ? null : Buffer.concat(files.map((file) => file.data)),
  };
}

/** Bytes of a message as it is stored. */
export function toPayloadBytes({ payload, body, files }: MessagePayload): number {
  return Buffer.byteLength(payload) + Buffer.byteLength(body) + (files?.byteLength ?? 0);
}

/** The way back. Each file gets bytes of its own, so that keeping one does not keep them all. */
export function fromMessagePayload<Message extends Said>(
  stored: MessagePayload,
  place: string,
): Restored<Message> {
  const { sessionKey, message } = parse(stored.payload, place) as StoredPayload;
  const body =
    stored.body === "" ? { content: "", files: [] } : (parse(stored.body, place) as StoredBody);
  let offset = 0;
  const files = body.files.map(({ name, mimeType, size }) => {
    const data = Uint8Array.from(stored.files?.subarray(offset, offset + size) ?? []);
    if (data.byteLength !== size)
      throw corrupt(place, `a file of ${size} bytes has ${data.byteLength}`);
    offset += size;
    return { name, mimeType, data };
  });
  return {
    sessionKey,
    message: { ...message, content: body.content, files } as unknown as Message,
  };
}

function parse(json: string, place: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw corrupt(place, toMessage(error));
  }
}

function corrupt(place: string, problem: string): StoreError {
  return new StoreError(
    "STORE_CORRUPT",
    `a stored message in ${place} cannot be read (${problem}); restore a backup`,
  );
}
