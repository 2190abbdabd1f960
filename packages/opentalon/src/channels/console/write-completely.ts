import type { Writable } from "node:stream";

/** Writes `text`; resolves when the stream has passed it on, rejects when it cannot. */
export function writeCompletely(output: Writable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(text, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
