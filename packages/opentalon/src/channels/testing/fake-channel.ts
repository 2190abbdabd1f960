/**
 * A channel for tests: a real process on either wire, that can behave well, badly or not at all. It uses nothing of this
 * project but two functions for protobuf, so it also is an independent witness of the protocol.
 *
 *     node fake-channel.ts '<FakeChannelOptions as JSON>'
 *
 * People write to it over a socket of the test, one JSON document a line, and read there what it was sent:
 *
 *     {"say": {…}}      an inbound message, with the names of the wire; what is missing is filled in
 *     {"do": "die"}     ends at once, with exit code 7
 *     {"do": "hang"}    does nothing any more, for ever
 *     {"do": "end"}     ends its stream of messages
 *     {"do": "fail"}    refuses to deliver, from now on
 *     {"do": "stall"}   never answers what it is sent, from now on
 *     {"do": "flood"}   {"count": n} messages, as fast as they are taken
 *     {"do": "half"}    half a message, then the end of the connection
 *     {"do": "invalid-utf8"}  a message with bytes that are no UTF-8
 *     {"do": "read"}    the oldest message that was not read yet is, see `awaitsReaders`
 *     {"do": "oversize"}  announces a message of 1 GB
 *
 * It writes there {"sent": {…}} for each message, {"acknowledged": "receipt"}, {"ready": {"config", "instance"}} once it is started, and {"pid"}.
 */
import { createConnection, createServer, type Socket } from "node:net";
import { appendFileSync, existsSync, mkdtempSync, readFileSync } from "node:fs";
import type { ServerHttp2Stream } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { booleanField, bytesField, readBytesFields } from "../../plugins/testing/protobuf-lite.ts";
import type { FakeChannelOptions } from "./fake-channel-options.ts";

const given = process.argv[2] ?? process.env["FAKE_CHANNEL"] ?? "{}";
const options = JSON.parse(given) as FakeChannelOptions;
const { generation = "grpc", id = "fake", listen = "folder" } = options;

interface Inbound {
  readonly conversation_id: string;
  readonly thread_id: string;
  readonly sender_id: string;
  readonly sender_name: string;
  readonly content: string | Buffer;
  readonly files: readonly {
    readonly name: string;
    readonly mime_type: string;
    readonly data: string;
  }[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly kind: string;
}

/** Sends a message to the host; resolves when the next one may come. */
type Push = (message: Inbound) => Promise<void>;
let push: Push | undefined;
let endStream = (): void => {};
let breakStream = (): void => {};
let misheard = 0;
let isFailing = false;
let isStalling = false;
let configured: unknown;
let instance = "";
let count = 0;
const backlog: Inbound[] = [];
let draining = Promise.resolve();

function dialPeople(path: string | undefined): Socket | undefined {
  return path === undefined ? undefined : createConnection(path);
}

/** Its people come through the folder it shares with the host. */
async function admitPeople(): Promise<Socket> {
  const server = createServer();
  server.listen(join(process.env["OPENTALON_CHANNEL_SOCK_DIR"] ?? "", "people.sock"));
  return new Promise((resolve) => {
    server.once("connection", (socket: Socket) => resolve(socket));
  });
}

function endProcess(code: number): never {
  // oxlint-disable-next-line unicorn/no-process-exit -- To end in the middle of anything is what this channel is for.
  process.exit(code);
}

const chat = options.chat === "beside" ? await admitPeople() : dialPeople(options.chat);
chat?.on("error", () => {});
const tell = (event: unknown): void => void chat?.write(`${JSON.stringify(event)}\n`);
tell({ pid: process.pid });

function say(message: Partial<Inbound>): void {
  count += 1;
  const identity: Record<string, string> =
    options.anonymous === true ? {} : { message_id: `m${process.pid}-${count}` };
  backlog.push({
    conversation_id: "room",
    thread_id: "",
    sender_id: "ann",
    sender_name: "Ann",
    content: "",
    files: [],
    kind: "",
    ...message,
    metadata: { ...identity, ...message.metadata },
  });
  drain();
}

function drain(): void {
  draining = draining.then(async () => {
    while (push !== undefined) {
      const message = backlog.shift();
      if (message === undefined) return;
      await push(message);
    }
  });
}

function begin(next: Push): void {
  push = next;
  tell({ ready: { config: configured, instance } });
  drain();
  if (options.echo === true) {
    console.error(`running as ${process.getuid?.()}`);
    say({ content: "here I am" });
  }
}

if (chat !== undefined) {
  const lines = createInterface({ input: chat });
  lines.on("error", () => {});
  lines.on("line", (line) => {
    const command = JSON.parse(line) as { say?: Partial<Inbound>; do?: string; count?: number };
    if (command.say !== undefined) say(command.say);
    switch (command.do) {
      case "die":
        return endProcess(7);
      case "hang":
        return void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      case "end":
        return endStream();
      case "fail":
        isFailing = true;
        return;
      case "stall":
        isStalling = true;
        return;
      case "flood":
        for (let index = 0; index < (command.count ?? 0); index += 1)
          say({ content: `flood ${index}` });
        return;
      case "half":
        return breakStream();
      case "invalid-utf8":
        return say({ content: Buffer.from([0x61, 0xff, 0x62]) });
      case "read":
        return unread.shift()?.();
      case "oversize":
        return announce();
      default:
    }
  });
}
let announce = (): void => {};
/** Deliveries nobody has read yet. */
const unread: (() => void)[] = [];

interface Sent {
  readonly delivery_id: string;
  readonly conversation_id: string;
  readonly thread_id: string;
  readonly content: string;
  readonly files: readonly { readonly name: string; readonly size: number }[];
  readonly metadata: Readonly<Record<string, string>>;
}

let seen: Set<string> | undefined;

/** One line a message, with the name of its delivery where repeats are known; false for a repeat. */
function noteDelivery(journal: string, { content, delivery_id: id }: Sent): boolean {
  if (options.knowsRepeats !== true) {
    appendFileSync(journal, `${content}\n`);
    return true;
  }
  const lines = existsSync(journal) ? readFileSync(journal, "utf8").split("\n") : [];
  seen ??= new Set(lines.map((line) => line.split("\t").at(-1) ?? ""));
  if (seen.has(id)) return false;
  appendFileSync(journal, `${content}\t${id}\n`);
  seen.add(id);
  return true;
}

/** Answers with the problem of a delivery, "" for none; never when it stalls. */
function deliver(message: Sent, answer: (problem: string) => void): void {
  if (isStalling) return;
  if (isFailing) return answer("the platform is full");
  if (options.console === true) process.stdout.write(`fake> ${message.content}\n`);
  if (options.journal !== undefined && !noteDelivery(options.journal, message)) return answer("");
  if (options.echo === true) {
    if (message.content === "die") return endProcess(7);
    say({ content: `heard ${message.content}` });
  }
  if (chat === undefined) return answer("");
  if (options.awaitsReaders === true) unread.push(() => answer(""));
  // The platform has it once this is written; whoever dies before must not have said so.
  chat.write(`${JSON.stringify({ sent: message })}\n`, () => {
    if (options.awaitsReaders !== true) answer("");
  });
}

if (options.console === true) {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (content) => say({ content }));
  lines.on("close", () => void draining.then(() => endStream()));
}

// --- gRPC

function toFrame(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function varintField(number: number, value: number): Buffer {
  const bytes = [number << 3];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function toMapFields(number: number, entries: Readonly<Record<string, string>>): Buffer[] {
  return Object.entries(entries).map(([key, value]) =>
    bytesField(number, Buffer.concat([bytesField(1, key), bytesField(2, value)])),
  );
}

function toInboundMessage(message: Inbound): Buffer {
  const nowMs = Date.now();
  return Buffer.concat([
    bytesField(1, id),
    bytesField(2, message.conversation_id),
    bytesField(3, message.thread_id),
    bytesField(4, message.sender_id),
    bytesField(5, message.sender_name),
    bytesField(6, message.content),
    ...message.files.map((file) =>
      bytesField(
        7,
        Buffer.concat([
          bytesField(1, file.name),
          bytesField(2, file.mime_type),
          bytesField(3, Buffer.from(file.data, "base64")),
        ]),
      ),
    ),
    ...toMapFields(8, message.metadata),
    bytesField(9, varintField(1, Math.floor(nowMs / 1_000))),
    bytesField(10, message.kind),
    bytesField(11, options.receipts === true ? `receipt of ${String(message.content)}` : ""),
  ]);
}

function readSent(request: Buffer): Sent {
  const fields = readBytesFields(request);
  const text = (number: number, within = fields): string =>
    within.findLast((field) => field.number === number)?.value.toString() ?? "";
  const inner = (number: number): ReturnType<typeof readBytesFields>[] =>
    fields.filter((field) => field.number === number).map(({ value }) => readBytesFields(value));
  return {
    conversation_id: text(1),
    thread_id: text(2),
    content: text(3),
    delivery_id: text(6),
    files: inner(4).map((file) => ({
      name: text(1, file),
      size: file.find(({ number }) => number === 3)?.value.length ?? 0,
    })),
    metadata: Object.fromEntries(inner(5).map((entry) => [text(1, entry), text(2, entry)])),
  };
}

function serveGrpcCall(stream: ServerHttp2Stream, path: string, request: Buffer): void {
  const respond = (message: Buffer): void => {
    if (stream.destroyed) return;
    stream.respond(
      { ":status": 200, "content-type": "application/grpc" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(toFrame(message));
  };
  const refuse = (code: number, message: string): void =>
    stream.respond(
      {
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-status": String(code),
        "grpc-message": message,
      },
      { endStream: true },
    );
  switch (path.replace("/opentalon.channel.v1.ChannelService/", "")) {
    case "Capabilities":
      return respond(
        Buffer.concat([
          bytesField(1, id),
          bytesField(2, "Fake"),
          booleanField(3, true),
          booleanField(4, true),
          varintField(7, options.maxMessageLength ?? 0),
          bytesField(8, "markdown"),
          booleanField(10, options.liveUpdates === true),
          booleanField(11, options.typing === true),
          booleanField(12, options.knowsRepeats === true),
        ]),
      );
    case "Configure": {
      if (options.start === "no-configure") return refuse(12, "unknown method Configure");
      if (options.start === "refuse-configuration")
        return refuse(3, "configure: `bot_token` is missing");
      const fields = readBytesFields(request);
      configured = fields.find(({ number }) => number === 1)?.value.toString("latin1") ?? "";
      instance = fields.find(({ number }) => number === 2)?.value.toString() ?? "";
      return respond(Buffer.alloc(0));
    }
    case "Tools":
      if (options.start === "no-configure") return refuse(12, "unknown method Tools");
      return respond(
        bytesField(
          1,
          Buffer.concat([
            bytesField(2, "Reactions"),
            bytesField(3, "react"),
            bytesField(4, "Adds a reaction"),
            bytesField(5, "POST"),
            bytesField(6, "https://platform.invalid/{{args.message}}"),
            ...toMapFields(8, { Authorization: "Bearer {{env.TOKEN}}" }),
            bytesField(9, "TOKEN"),
            bytesField(10, Buffer.concat([bytesField(1, "message"), booleanField(3, true)])),
          ]),
        ),
      );
    case "Start": {
      stream.respond(
        { ":status": 200, "content-type": "application/grpc" },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      endStream = () => {
        push = undefined;
        stream.end();
      };
      breakStream = () => {
        stream.write(Buffer.from("00000001000a", "hex"));
        setTimeout(() => stream.session?.destroy(), 20);
      };
      announce = () => {
        const prefix = Buffer.alloc(5);
        prefix.writeUInt32BE(2 ** 30, 1);
        stream.write(prefix);
      };
      stream.once("close", () => (push = undefined));
      return begin(
        (message) =>
          new Promise((resolve) => {
            if (stream.write(toFrame(toInboundMessage(message)))) resolve();
            else stream.once("drain", resolve).once("close", resolve);
          }),
      );
    }
    case "Send":
      return deliver(readSent(request), (problem) =>
        problem === "" ? respond(Buffer.alloc(0)) : refuse(2, `send: ${problem}`),
      );
    case "Acknowledge":
      if (options.receipts !== true) return refuse(12, "unknown method Acknowledge");
      misheard += 1;
      if (misheard <= (options.mishears ?? 0)) return refuse(14, "the connection is gone");
      tell({ acknowledged: readBytesFields(request)[0]?.value.toString() });
      return respond(Buffer.alloc(0));
    default:
      return refuse(12, `unknown method ${path}`);
  }
}

async function createGrpcListener(): Promise<(socket: Socket) => void> {
  const http2 = await import("node:http2");
  const server = http2.createServer();
  server.on("sessionError", () => {});
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const parts: Buffer[] = [];
    const { ":path": path = "", authorization } = headers;
    stream.on("error", () => {});
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => {
      if (options.token !== undefined && authorization !== `Bearer ${options.token}`) {
        return stream.respond(
          { ":status": 200, "grpc-status": "16", "grpc-message": "who are you?" },
          { endStream: true },
        );
      }
      serveGrpcCall(stream, path, Buffer.concat(parts).subarray(5));
    });
  });
  return (socket) => void server.emit("connection", socket);
}

// --- length-prefixed JSON, for exactly one connection

let hasConnection = false;

function serveJson(socket: Socket): void {
  if (hasConnection) return void socket.destroy();
  hasConnection = true;
  let buffered = Buffer.alloc(0);
  const write = (document: Buffer | object): boolean => {
    const bytes = Buffer.isBuffer(document) ? document : Buffer.from(JSON.stringify(document));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return socket.write(Buffer.concat([length, bytes]));
  };
  endStream = () => void socket.end();
  breakStream = () => void socket.end(Buffer.from("000000647b", "hex"));
  announce = () => void socket.write(Buffer.from("40000000", "hex"));
  const pushJson: Push = async ({ content, ...message }) => {
    const document = {
      msg: { channel_id: id, ...message, content: "CONTENT", timestamp: new Date().toISOString() },
    };
    const [before = "", after = ""] = JSON.stringify(document).split('"CONTENT"');
    const text = Buffer.isBuffer(content)
      ? Buffer.concat([Buffer.from('"'), content, Buffer.from('"')])
      : Buffer.from(JSON.stringify(content));
    if (write(Buffer.concat([Buffer.from(before), text, Buffer.from(after)]))) return;
    await new Promise<void>((resolve) => socket.once("drain", resolve).once("close", resolve));
  };
  socket.once("close", () => (push = undefined));
  socket.on("data", (bytes: Buffer) => {
    buffered = Buffer.concat([buffered, bytes]);
    while (buffered.length >= 4) {
      const length = buffered.readUInt32BE(0);
      // As the old library does: whoever speaks another language is hung up on, and nobody else is let in.
      if (length > 4 * 2 ** 20) return void socket.destroy();
      if (buffered.length < 4 + length) return;
      const document = buffered.subarray(4, 4 + length).toString();
      buffered = buffered.subarray(4 + length);
      const { method, msg } = JSON.parse(document) as { method: string; msg?: Partial<Sent> };
      if (method === "capabilities") {
        write({
          caps: {
            id,
            name: "Fake",
            threads: true,
            files: true,
            max_message_length: options.maxMessageLength ?? 0,
          },
        });
      } else if (method === "start") {
        write({});
        begin(pushJson);
      } else {
        const empty = { delivery_id: "", thread_id: "", content: "", metadata: {} };
        const sent = { ...empty, conversation_id: "", ...msg };
        const files = (msg?.files ?? []).map(({ name, size }) => ({ name, size }));
        deliver({ ...sent, files }, (problem) => write(problem === "" ? {} : { error: problem }));
      }
    }
  });
}

// --- process

async function start(): Promise<void> {
  if (options.start === "crash") {
    console.error("error: the platform has no such token");
    return endProcess(3);
  }
  if (options.start === "never-ready") return void setInterval(() => {}, 1_000);
  const greet =
    options.start === "silent"
      ? () => {}
      : generation === "grpc"
        ? await createGrpcListener()
        : serveJson;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    greet(socket);
  });
  const endOnSignal = (): void => endProcess(0);
  process.once("SIGINT", endOnSignal).once("SIGTERM", endOnSignal);
  if (listen === "tcp") return void server.listen(options.port ?? 0, "127.0.0.1");
  const folder = process.env["OPENTALON_CHANNEL_SOCK_DIR"] ?? "";
  const path =
    listen === "folder" && folder !== ""
      ? join(folder, "channel.sock")
      : join(mkdtempSync(join(tmpdir(), "opentalon-channel-")), "own.sock");
  server.listen(path, () => {
    if (listen === "told") console.log(`${id}|unix|${path}`);
  });
}

await start();
