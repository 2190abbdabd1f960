import type { Readable } from "node:stream";

export interface ReadLinesOptions {
  readonly stream: Readable;
  /** What is longer is cut. */
  readonly maxLineBytes: number;
  /** Without its line break. */
  readonly onLine: (line: Buffer) => void;
  readonly onEnd?: (() => void) | undefined;
}

/** Reads what a child process writes, line by line and for as long as it writes: it is never held up. */
export function readLines({ stream, maxLineBytes, onLine, onEnd }: ReadLinesOptions): void {
  let line: Buffer[] = [];
  let lineBytes = 0;

  const finishLine = (): void => {
    const bytes = line;
    line = [];
    lineBytes = 0;
    onLine(Buffer.concat(bytes));
  };

  const take = (part: Buffer): void => {
    const room = maxLineBytes - lineBytes;
    // A copy: a slice would keep the whole chunk alive.
    if (room > 0 && part.length > 0) line.push(Buffer.from(part.subarray(0, room)));
    lineBytes += Math.min(room, part.length);
  };

  stream.on("data", (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      take(chunk.subarray(start, end));
      finishLine();
      start = end + 1;
    }
    take(chunk.subarray(start));
  });
  stream.on("error", () => {});
  stream.once("close", () => {
    if (lineBytes > 0) finishLine();
    onEnd?.();
  });
}
