import type { IncomingMessage } from "./define-channel.ts";

/** What stands around the words and the files of a message on the wire, at most. */
const envelopeBytes = 16 * 1024;
const bytesAroundFile = 64;

/**
 * The message with as many of its files as go into `limitBytes` with its words, which say how many were left out. A longer
 * one would end the stream, come again over the next one, and keep everything behind it from being heard.
 * @throws Error when the words alone are too many.
 */
export function fitMessage(message: IncomingMessage, limitBytes: number): IncomingMessage {
  const { content, senderName = "", threadId = "", messageId = "", metadata = {} } = message;
  const { conversationId, senderId, files = [] } = message;
  const words = [conversationId, senderId, content, senderName, threadId, messageId];
  const wordBytes = countBytes([...words, ...Object.entries(metadata).flat()]);
  let room = limitBytes - envelopeBytes - wordBytes;
  if (room < 0)
    throw new Error(
      `a message has ${wordBytes} bytes without its files, and one may have ${limitBytes}`,
    );
  const fitting = files.filter(({ name, mimeType, data }) => {
    const bytes = data.byteLength + countBytes([name, mimeType]) + bytesAroundFile;
    if (bytes > room) return false;
    room -= bytes;
    return true;
  });
  const missing = files.length - fitting.length;
  if (missing === 0) return message;
  const note = `[${missing === 1 ? "a file was" : `${missing} files were`} left out: too large for one message]`;
  return {
    ...message,
    files: fitting,
    content: content === "" ? note : `${content}\n\n${note}`,
  };
}

function countBytes(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
}
