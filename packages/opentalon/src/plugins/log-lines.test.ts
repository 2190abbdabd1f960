import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createLog } from "../base/create-log.ts";
import { logLines } from "./log-lines.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "opentalon-log-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const clock = createManualClock();

async function logged(
  write: (stream: PassThrough) => void | Promise<void>,
): Promise<{ messages: string[]; last: string; raw: string }> {
  const file = join(folder, "log");
  const log = createLog({ level: "info", file, pretty: false });
  log.info("begin");
  const stream = new PassThrough();
  const lines = logLines({ stream, log, clock });
  await write(stream);
  stream.end();
  await once(stream, "close");
  const raw = readFileSync(file, "utf8");
  const messages = raw
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { msg: string }).msg)
    .slice(1);
  return { messages, last: lines.lastWords(), raw };
}

test("each line is an entry, also the one without an end", async () => {
  const { messages, last } = await logged((stream) => void stream.write("one\r\ntwo\n\n  three"));
  expect(messages).toEqual(["one", "two", "  three"]);
  expect(last).toBe("  three");
});

test.each([
  ["TypeError: no\n    at main.js:1:1\n\nNode.js v26.10.0\n", "TypeError: no"],
  ["Traceback\n  File x\nValueError: no\n", "ValueError: no"],
  ["panic: no\n\ngoroutine 1 [running]:\nexit status 2\n", "panic: no"],
  ["listening\nbye\n", "bye"],
])("the last words are the error, not what follows it: %j", async (written, expected) => {
  const { last } = await logged((stream) => void stream.write(written));
  expect(last).toBe(expected);
});

test("a line cut anywhere is put together, characters included", async () => {
  const { messages } = await logged((stream) => {
    for (const byte of Buffer.from("hé 😀\nnext\n")) stream.write(Uint8Array.of(byte));
  });
  expect(messages).toEqual(["hé 😀", "next"]);
});

test("a line is cut at 8 KiB and its rest is dropped", async () => {
  const { messages } = await logged((stream) => {
    for (let index = 0; index < 1_000; index += 1) stream.write("x".repeat(1_000));
    stream.write("\nnext\n");
  });
  expect(messages.map((message) => message.length)).toEqual([8_192, 4]);
});

test("more than 200 lines a second are counted, not logged", async () => {
  const { messages } = await logged(async (stream) => {
    stream.write("line\n".repeat(100_000));
    while (stream.readableLength > 0) await new Promise(setImmediate);
    clock.advance(1_000);
    stream.write("later\n");
  });
  expect(messages).toHaveLength(202);
  expect(messages.slice(-2)).toEqual(["The plugin wrote too much; lines were left out", "later"]);
});

test("a line can neither colour the terminal nor forge an entry nor break the encoding", async () => {
  const { messages } = await logged((stream) => {
    stream.write(
      Buffer.concat([
        Buffer.from("\u001b[31mred\u001b[0m a\rb\u001bc\u202ed\u2028e "),
        Buffer.from([0xff, 0xfe]),
        Buffer.from("\n"),
      ]),
    );
  });
  expect(messages).toEqual(["red a�b�c�d�e ��"]);
});
