/** How many bytes of a server are needed to tell what it speaks: one HTTP/2 frame header. */
export const recognisableBytes = 9;

/**
 * Whether a server that began with these bytes speaks HTTP/2, hence gRPC: it opens with a SETTINGS frame, or ends the
 * connection with GOAWAY when it was spoken to in another language. Nothing else can look like it: a JSON document
 * of the same length would have `{` where the frame has its flags.
 */
export function isHttp2Start(bytes: Uint8Array): boolean {
  if (bytes.length < recognisableBytes) return false;
  const [high = 0, middle = 0, low = 0, type, flags, ...stream] = bytes.subarray(
    0,
    recognisableBytes,
  );
  const length = (high << 16) | (middle << 8) | low;
  if (stream.some((byte) => byte !== 0)) return false;
  if (type === settingsFrame) return flags === 0 && length % 6 === 0;
  return type === goAwayFrame && flags === 0 && length >= 8;
}

const settingsFrame = 0x04;
const goAwayFrame = 0x07;
