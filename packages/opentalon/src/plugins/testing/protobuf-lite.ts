/**
 * Just enough protobuf for a fake plugin: written by hand, so that the tests compare our wire with an independent one
 * and can send what a proper library refuses to.
 */

/** A field whose value is bytes, a text or a message inside. */
export function bytesField(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

export function booleanField(number: number, value: boolean): Buffer {
  return Buffer.concat([varint(number << 3), varint(value ? 1 : 0)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** The length-delimited fields of a message, in order. */
export function readBytesFields(
  message: Buffer,
): { readonly number: number; readonly value: Buffer }[] {
  const fields: { number: number; value: Buffer }[] = [];
  let offset = 0;
  const readVarint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[offset] ?? 0;
      offset += 1;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  while (offset < message.length) {
    const tag = readVarint();
    if ((tag & 7) !== 2) {
      readVarint();
      continue;
    }
    const length = readVarint();
    fields.push({ number: tag >>> 3, value: message.subarray(offset, offset + length) });
    offset += length;
  }
  return fields;
}
