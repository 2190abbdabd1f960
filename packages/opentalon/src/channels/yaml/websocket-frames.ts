import { randomBytes } from "node:crypto";

/** Frames of RFC 6455, as one end of a connection reads and writes them. */
export type WebSocketEvent =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "binary"; readonly data: Buffer }
  | { readonly kind: "ping"; readonly data: Buffer }
  | { readonly kind: "pong" }
  | { readonly kind: "close"; readonly code: number };

export const opcodes = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

/** The peer does not keep to the protocol, or sends more than is taken; `code` is what it is told. */
export class WebSocketProtocolError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** One frame of a message that is not split. A client masks, a server must not. */
export function encodeFrame(opcode: number, data: Uint8Array, isMasked: boolean): Buffer {
  const { byteLength } = data;
  const lengthBytes = byteLength < 126 ? 0 : byteLength < 65_536 ? 2 : 8;
  const header = Buffer.alloc(2 + lengthBytes + (isMasked ? 4 : 0));
  header[0] = 0x80 | opcode;
  header[1] =
    (isMasked ? 0x80 : 0) | (lengthBytes === 0 ? byteLength : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) header.writeUInt16BE(byteLength, 2);
  if (lengthBytes === 8) header.writeBigUInt64BE(BigInt(byteLength), 2);
  if (!isMasked) return Buffer.concat([header, data]);
  const mask = randomBytes(4);
  mask.copy(header, header.length - 4);
  const masked = Buffer.from(data);
  unmask(masked, mask);
  return Buffer.concat([header, masked]);
}

export interface FrameReader {
  /**
   * Takes bytes as they come; gives what is complete.
   * @throws WebSocketProtocolError
   */
  readonly push: (chunk: Buffer) => readonly WebSocketEvent[];
}

interface Frame {
  readonly isFinal: boolean;
  readonly opcode: number;
  readonly data: Buffer;
}

/** @param expectsMask Whether the peer is a client. */
export function createFrameReader(maxMessageBytes: number, expectsMask: boolean): FrameReader {
  let chunks: Buffer[] = [];
  let bufferedBytes = 0;
  /** Bytes the frame under way needs before reading it is worth a try. */
  let neededBytes = 2;
  let pieces: Buffer[] = [];
  let pieceBytes = 0;
  let messageOpcode = 0;

  const takeFrame = (): Frame | undefined => {
    if (bufferedBytes < neededBytes) return undefined;
    const [first = Buffer.alloc(0)] = chunks;
    const buffer = chunks.length === 1 ? first : Buffer.concat(chunks, bufferedBytes);
    chunks = [buffer];
    const [head = 0, second = 0] = buffer;
    const isMasked = (second & 0x80) !== 0;
    const shortLength = second & 0x7f;
    const lengthBytes = shortLength === 126 ? 2 : shortLength === 127 ? 8 : 0;
    const start = 2 + lengthBytes + (isMasked ? 4 : 0);
    if (buffer.length < start) {
      neededBytes = start;
      return undefined;
    }
    const opcode = head & 0x0f;
    if ((head & 0x70) !== 0)
      throw new WebSocketProtocolError(1002, "an extension nobody agreed on is in use");
    if (isMasked !== expectsMask)
      throw new WebSocketProtocolError(1002, "a frame is masked the wrong way");
    const length =
      lengthBytes === 0
        ? shortLength
        : lengthBytes === 2
          ? buffer.readUInt16BE(2)
          : Number(buffer.readBigUInt64BE(2));
    const isControl = opcode >= 8;
    if (isControl && (length > 125 || (head & 0x80) === 0)) {
      throw new WebSocketProtocolError(1002, "a control frame is too long or split");
    }
    if (!isControl && length + pieceBytes > maxMessageBytes) {
      throw new WebSocketProtocolError(1009, `a message is larger than ${maxMessageBytes} bytes`);
    }
    if (buffer.length < start + length) {
      neededBytes = start + length;
      return undefined;
    }
    const data = Buffer.from(buffer.subarray(start, start + length));
    if (isMasked) unmask(data, buffer.subarray(start - 4, start));
    const rest = buffer.subarray(start + length);
    chunks = rest.length === 0 ? [] : [rest];
    bufferedBytes = rest.length;
    neededBytes = 2;
    return { isFinal: (head & 0x80) !== 0, opcode, data };
  };

  const toEvent = ({ isFinal, opcode, data }: Frame): WebSocketEvent | undefined => {
    switch (opcode) {
      case opcodes.ping:
        return { kind: "ping", data };
      case opcodes.pong:
        return { kind: "pong" };
      case opcodes.close:
        return { kind: "close", code: data.length >= 2 ? data.readUInt16BE(0) : 1005 };
      case opcodes.text:
      case opcodes.binary:
        if (messageOpcode !== 0)
          throw new WebSocketProtocolError(1002, "a message begins inside another");
        messageOpcode = opcode;
        break;
      case opcodes.continuation:
        if (messageOpcode === 0)
          throw new WebSocketProtocolError(1002, "a message goes on that never began");
        break;
      default:
        throw new WebSocketProtocolError(1002, "a frame is of no known kind");
    }
    pieces.push(data);
    pieceBytes += data.length;
    if (!isFinal) return undefined;
    const whole = pieces.length === 1 ? data : Buffer.concat(pieces, pieceBytes);
    const kind = messageOpcode;
    pieces = [];
    pieceBytes = 0;
    messageOpcode = 0;
    if (kind === opcodes.binary) return { kind: "binary", data: whole };
    try {
      return { kind: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(whole) };
    } catch {
      throw new WebSocketProtocolError(1007, "a text is not UTF-8");
    }
  };

  return {
    push: (chunk) => {
      chunks.push(chunk);
      bufferedBytes += chunk.length;
      const events: WebSocketEvent[] = [];
      for (let frame = takeFrame(); frame !== undefined; frame = takeFrame()) {
        const event = toEvent(frame);
        if (event !== undefined) events.push(event);
      }
      return events;
    },
  };
}

function unmask(data: Buffer, mask: Uint8Array): void {
  for (let at = 0; at < data.length; at += 1) data[at] = (data[at] ?? 0) ^ (mask[at & 3] ?? 0);
}
