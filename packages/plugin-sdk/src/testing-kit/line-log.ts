import type { Readable } from "node:stream";

/** What a process writes, line by line, for as long as it writes. Read at once, so that the process never waits. */
export interface LineLog {
  /** The last lines; the growing array itself. Very long lines are cut. */
  readonly lines: readonly string[];
  /** Bytes written so far. */
  readonly bytes: () => number;
  /** Called with every line from now on; returns the way to stop that. */
  readonly watch: (listener: (line: string) => void) => () => void;
  /** Resolves when nothing more can come. */
  readonly ended: Promise<void>;
  /** Ends the reading. */
  readonly close: () => void;
}

const maxLines = 1_000;
const maxLineBytes = 8_192;

export function createLineLog(stream: Readable): LineLog {
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  let bytes = 0;
  let open: Buffer = Buffer.alloc(0);
  const add = (line: Buffer): void => {
    const text = line.toString("utf8").replace(/\r$/, "");
    lines.push(text);
    if (lines.length > maxLines) lines.shift();
    for (const listener of listeners) listener(text);
  };
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    let rest: Buffer = chunk;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      add(join(open, rest.subarray(0, end)));
      open = Buffer.alloc(0);
      rest = rest.subarray(end + 1);
    }
    open = join(open, rest);
  });
  stream.on("error", () => {});
  const ended = new Promise<void>((resolve) =>
    stream.once("close", () => {
      if (open.length > 0) add(open);
      resolve();
    }),
  );
  return {
    lines,
    bytes: () => bytes,
    watch: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    ended,
    close: () => void stream.destroy(),
  };
}

function join(begin: Buffer, more: Buffer): Buffer {
  if (begin.length === 0 && more.length <= maxLineBytes) return Buffer.from(more);
  return Buffer.concat([begin, more.subarray(0, Math.max(0, maxLineBytes - begin.length))]);
}
