import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

export type InputLine =
  | { readonly kind: "line"; readonly text: string }
  /** Longer than it may be; what it said was not kept. */
  | { readonly kind: "too-long" };

export interface ReadLinesOptions {
  readonly input: Readable;
  /** UTF-16 units. */
  readonly maxLineLength: number;
  /** Takes one line; the next one is not read before it resolves. Must not reject. */
  readonly onLine: (line: InputLine) => Promise<void>;
  /** After the last line was taken. Not called after `stop`. */
  readonly onEnd: () => void;
}

/**
 * Reads lines from a stream that is not a terminal, one chunk ahead at most.
 * @returns a function that stops reading and lets go of the stream.
 */
export function readLines({ input, maxLineLength, onLine, onEnd }: ReadLinesOptions): () => void {
  const decoder = new StringDecoder("utf8");
  const chunks: string[] = [];
  let partial = "";
  let isOverlong = false;
  let isEnded = false;
  let isStopped = false;
  let isWorking = false;

  /** A line's end, or the end of the input, was reached. */
  const finishLine = async (): Promise<void> => {
    const text = partial.endsWith("\r") ? partial.slice(0, -1) : partial;
    const line: InputLine = isOverlong ? { kind: "too-long" } : { kind: "line", text };
    partial = "";
    isOverlong = false;
    await onLine(line);
  };

  const extend = (text: string): void => {
    if (isOverlong) return;
    partial += text;
    isOverlong = partial.length > maxLineLength;
    if (isOverlong) partial = "";
  };

  const takeChunk = async (chunk: string): Promise<void> => {
    let start = 0;
    for (let end = chunk.indexOf("\n"); end >= 0; end = chunk.indexOf("\n", start)) {
      extend(chunk.slice(start, end));
      start = end + 1;
      await finishLine();
      if (isStopped) return;
    }
    extend(chunk.slice(start));
  };

  const work = async (): Promise<void> => {
    if (isWorking) return;
    isWorking = true;
    for (let chunk = chunks.shift(); chunk !== undefined && !isStopped; chunk = chunks.shift()) {
      await takeChunk(chunk);
    }
    isWorking = false;
    if (isStopped) return;
    if (!isEnded) {
      input.resume();
      return;
    }
    stop();
    if (partial !== "" || isOverlong) await finishLine();
    onEnd();
  };

  const onData = (chunk: Buffer | string): void => {
    input.pause();
    chunks.push(typeof chunk === "string" ? chunk : decoder.write(chunk));
    void work();
  };
  const onClose = (): void => {
    if (isEnded) return;
    isEnded = true;
    chunks.push(decoder.end());
    void work();
  };
  const stop = (): void => {
    isStopped = true;
    input.off("data", onData);
    input.off("end", onClose);
    input.off("close", onClose);
    input.off("error", onClose);
    input.pause();
  };

  input.on("end", onClose);
  input.on("close", onClose);
  input.on("error", onClose);
  input.on("data", onData);
  return stop;
}
