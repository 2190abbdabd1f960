/** Longest document of the first wire generation, in bytes: 4 MiB. A peer that announces more is not obeyed. */
export const maxDocumentBytes = 4 * 1_024 * 1_024;

/**
 * One frame: four bytes of length, big-endian, then the document as JSON.
 * @throws RangeError when the document is longer than 4 MiB.
 */
export function encodeDocument(document: unknown): Buffer {
  const text = JSON.stringify(document);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxDocumentBytes) {
    throw new RangeError(
      `the message has ${bytes} bytes, this kind of plugin takes ${maxDocumentBytes}`,
    );
  }
  const frame = Buffer.allocUnsafe(4 + bytes);
  frame.writeUInt32BE(bytes, 0);
  frame.write(text, 4, "utf8");
  return frame;
}

/** Puts frames together again, however the stream was cut. Never holds more than one unfinished document. */
export interface DocumentDecoder {
  /**
   * Takes the next bytes and returns the documents they complete, in order. After a throw the stream is lost.
   * Invalid UTF-8 is replaced by U+FFFD.
   * @throws RangeError when a length over the limit is announced, before anything of it is kept.
   * @throws SyntaxError when a document is not JSON.
   */
  readonly push: (bytes: Uint8Array) => unknown[];
  /** Bytes of an unfinished frame. */
  readonly pending: () => number;
}

/** @param limitBytes longest document taken. */
export function createDocumentDecoder(limitBytes: number = maxDocumentBytes): DocumentDecoder {
  const header = createFilling(4);
  let body: Filling | undefined;

  const begin = (): Filling => {
    const length = header.finish().readUInt32BE(0);
    if (length > limitBytes) {
      throw new RangeError(
        `the peer announces a message of ${length} bytes, the limit is ${limitBytes}`,
      );
    }
    return createFilling(length);
  };

  return {
    push: (bytes) => {
      const documents: unknown[] = [];
      let rest = bytes;
      while (rest.length > 0) {
        rest = (body ?? header).take(rest);
        if (body === undefined && header.missing() === 0) body = begin();
        if (body?.missing() !== 0) continue;
        const text = body.finish().toString("utf8");
        body = undefined;
        documents.push(JSON.parse(text));
      }
      return documents;
    },
    pending: () => (body === undefined ? header.size() : 4 + body.size()),
  };
}

/** Collects a known number of bytes; memory grows with what arrived, never with what was announced. */
interface Filling {
  /** Keeps what belongs here and returns the rest. */
  readonly take: (bytes: Uint8Array) => Uint8Array;
  readonly missing: () => number;
  readonly size: () => number;
  /** The bytes; starts over. Valid until the next `take`. */
  readonly finish: () => Buffer;
}

function createFilling(length: number): Filling {
  let buffer = Buffer.alloc(Math.min(length, 4_096));
  let size = 0;
  return {
    take: (bytes) => {
      const taken = Math.min(length - size, bytes.length);
      if (size + taken > buffer.length) {
        const larger = Buffer.alloc(Math.min(length, Math.max(size + taken, buffer.length * 2)));
        larger.set(buffer.subarray(0, size));
        buffer = larger;
      }
      buffer.set(bytes.subarray(0, taken), size);
      size += taken;
      return bytes.subarray(taken);
    },
    missing: () => length - size,
    size: () => size,
    finish: () => {
      const bytes = buffer.subarray(0, size);
      size = 0;
      return bytes;
    },
  };
}
