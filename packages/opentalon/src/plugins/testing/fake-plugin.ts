/**
 * A tool plugin for tests: a real process that can behave well, badly or not at all, on either wire. It uses nothing of
 * this project, so it also is an independent witness of the protocol.
 *
 *     node fake-plugin.ts '<FakePluginOptions as JSON>'
 *
 * See `fake-plugin-options.ts` for what can go wrong at the start. Its actions:
 *
 *     echo            {"plugin","action","args","credentials"} of the call as JSON text
 *     structured      content "text", structured_content {"a":1}
 *     fail            error "it did not work"
 *     fail-without-id error "it did not work", without the identifier of the call
 *     wrong-id        the identifier of another call
 *     no-id           content without an identifier
 *     invalid-utf8    content with bytes that are no UTF-8
 *     status          gRPC: status FAILED_PRECONDITION "not today"; JSON: hangs up
 *     slow            answers "done" after args.ms (or args.text) milliseconds
 *     hang            never answers
 *     cancelled       how many calls of "hang" and "slow" their callers gave up
 *     crash           ends the process at once, with exit code 7
 *     huge            announces an answer of 1 GB and sends all of it
 *     bomb            gRPC: an answer that unpacks to 1 GB; JSON: like huge
 *     endless         sends one answer after the other, for ever
 *     trickle         begins an answer and never finishes it
 *     environment     its environment as JSON
 *     process         {"pid","workingDirectory","port"} as JSON; no port on a Unix socket
 *     config          the text Init brought
 *     block           does nothing else for args.ms milliseconds, then answers "done"; it is not reported
 *     deafen          stops listening, hangs up on everybody, and lives on
 *     check           with callbacks, or when asked to report it: "true" unless FakePluginOptions.refuses
 *     ask             with callbacks: sends the requests in args.requests, a JSON list of {"plugin","action","args"}, all
 *                     at once, answers with the list of what came back; see AskPlan in fake-callbacks.ts for more
 *
 * An unknown action gives an error without identifier.
 */
import { spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Http2SecureServer, Http2Server, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { serveCallbacks } from "./fake-callbacks.ts";
import { booleanField, bytesField, readBytesFields } from "./protobuf-lite.ts";
import { attacks } from "./attacks.ts";
import type { FakePluginOptions } from "./fake-plugin-options.ts";

const given = JSON.parse(process.argv[2] ?? "{}") as FakePluginOptions;
const options: FakePluginOptions =
  given.overrides === undefined
    ? given
    : { ...given, ...(JSON.parse(readFileSync(given.overrides, "utf8")) as FakePluginOptions) };
const { generation = "grpc", network = "unix", name = "fake" } = options;

interface Call {
  readonly id: string;
  readonly plugin: string;
  readonly action: string;
  readonly args: Readonly<Record<string, string>>;
  readonly credentials: readonly string[];
  /** Called when the caller gives up. */
  readonly onCancelled: (listener: () => void) => void;
}

interface Result {
  readonly id: string;
  readonly content: Buffer;
  readonly error: string;
  readonly structured: string;
}

const actionNames = [
  ..."echo structured fail fail-without-id wrong-id no-id invalid-utf8 status slow hang cancelled crash".split(
    " ",
  ),
  ..."huge bomb endless trickle environment process config deafen".split(" "),
  ...(options.callbacks === true ? ["check", "ask"] : []),
];

/** Beside "text". */
const moreParameters: Readonly<Record<string, readonly string[]>> = {
  ask: ["requests", "end"],
  slow: ["ms"],
};
const invalidUtf8 = Buffer.from([0x61, 0xff, 0x62, 0xc3]);
const oneGigabyte = 2 ** 30;
let config = "";
let cancelled = 0;
let port: number | undefined;
let deafen = (): void => {};

const note = (event: Record<string, unknown>): void => {
  if (options.journal !== undefined) appendFileSync(options.journal, `${JSON.stringify(event)}\n`);
};

function endProcess(code: number): never {
  // oxlint-disable-next-line unicorn/no-process-exit -- To end in the middle of anything is what this plugin is for.
  process.exit(code);
}

function answer(call: Call, reply: (result: Result) => void): void {
  const say = (content: string | Buffer, rest: Partial<Result> = {}): void =>
    reply({
      id: call.id,
      content: Buffer.from(content as string),
      error: "",
      structured: "",
      ...rest,
    });
  note({ event: "call", action: call.action, id: call.id });
  // A bridge is called by the name of a server, and knows the server's actions by `<server>__<action>`.
  const server = `${call.plugin}__`;
  switch (call.action.startsWith(server) ? call.action.slice(server.length) : call.action) {
    case "echo": {
      const { plugin, action, args, credentials } = call;
      return say(JSON.stringify({ plugin, action, args, credentials }));
    }
    case "structured":
      return say("text", { structured: '{"a":1}' });
    case "fail":
      return say("", { error: "it did not work" });
    case "fail-without-id":
      return say("", { error: "it did not work", id: "" });
    case "wrong-id":
      return say("x", { id: "another" });
    case "no-id":
      return say("x", { id: "" });
    case "invalid-utf8":
      return say(invalidUtf8);
    case "slow": {
      const timer = setTimeout(
        () => say("done"),
        Number(call.args["ms"] ?? call.args["text"] ?? "0"),
      );
      return call.onCancelled(() => (clearTimeout(timer), (cancelled += 1)));
    }
    case "hang":
      return call.onCancelled(() => (cancelled += 1));
    case "cancelled":
      return say(String(cancelled));
    case "crash":
      return endProcess(7);
    case "block":
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(call.args["ms"] ?? "0"));
      return say("done");
    case "deafen":
      return deafen();
    case "environment":
      return say(JSON.stringify(process.env));
    case "process":
      return say(JSON.stringify({ pid: process.pid, workingDirectory: process.cwd(), port }));
    case "config":
      return say(config);
    case "check":
      note({ event: "call", action: `check ${call.args["actor"]} ${call.args["plugin"]}` });
      return say(
        String(options.refuses?.includes(`${call.args["actor"]} ${call.args["plugin"]}`) !== true),
      );
    default: {
      const attack = attacks[call.action];
      if (attack === undefined) return say("", { id: "", error: `unknown action ${call.action}` });
      return void attack(call.args).then(say, (error: unknown) =>
        say("", { error: String(error) }),
      );
    }
  }
}

/** Writes for ever, or until `bytes` are written or the other side is gone, never faster than they are read. */
function pour(stream: ServerHttp2Stream | Socket, chunk: Buffer, bytes = Infinity): void {
  let left = bytes;
  const write = (): void => {
    while (left > 0 && !stream.destroyed) {
      left -= chunk.length;
      if (!stream.write(chunk)) return void stream.once("drain", write);
    }
  };
  stream.on("error", () => {});
  write();
}

// --- gRPC

function toMessageFrame(message: Buffer, compressed = false): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(compressed ? 1 : 0, 0);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function toResultMessage({ id, content, error, structured }: Result): Buffer {
  return Buffer.concat([
    bytesField(1, id),
    bytesField(2, content),
    bytesField(3, error),
    bytesField(4, structured),
  ]);
}

function toCapabilitiesMessage(names = options.actions ?? actionNames): Buffer {
  const parameter = Buffer.concat([
    bytesField(1, "text"),
    bytesField(2, "Some text"),
    bytesField(3, "string"),
    booleanField(4, true),
  ]);
  const actions = names.map((action) =>
    bytesField(
      3,
      Buffer.concat([
        bytesField(1, action),
        bytesField(2, `Action ${action}`),
        bytesField(3, parameter),
        ...(moreParameters[action] ?? []).map((more) => bytesField(3, bytesField(1, more))),
        booleanField(4, options.userOnly?.includes(action) === true),
        ...(options.contextArguments ?? ["session_id"]).map((name) => bytesField(5, name)),
        booleanField(7, (options.readOnly ?? ["echo"]).includes(action)),
      ]),
    ),
  );
  const description = options.capabilities === "invalid-utf8" ? invalidUtf8 : "A fake";
  return Buffer.concat([
    bytesField(1, name),
    bytesField(2, description),
    ...actions,
    bytesField(4, options.promptAddition ?? ""),
    booleanField(7, options.callbacks === true),
  ]);
}

function toCall(request: Buffer, onCancelled: Call["onCancelled"]): Call {
  const fields = readBytesFields(request);
  const text = (number: number): string =>
    fields.findLast((field) => field.number === number)?.value.toString() ?? "";
  const toEntry = (value: Buffer): [string, Buffer] => {
    const [key, entry] = readBytesFields(value);
    return [key?.value.toString() ?? "", entry?.value ?? Buffer.alloc(0)];
  };
  const entries = (number: number): [string, Buffer][] =>
    fields.filter((field) => field.number === number).map(({ value }) => toEntry(value));
  return {
    id: text(1),
    plugin: text(2),
    action: text(3),
    args: Object.fromEntries(entries(4).map(([key, value]) => [key, value.toString()])),
    credentials: entries(6).map(([server, value]) => {
      const [header, secret] = readBytesFields(value);
      return [server, header?.value, secret?.value].join(" ");
    }),
    onCancelled,
  };
}

function serveGrpcCall(stream: ServerHttp2Stream, path: string, request: Buffer): void {
  const respond = (message: Buffer): void => {
    stream.respond(
      { ":status": 200, "content-type": "application/grpc" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(toMessageFrame(message));
  };
  const refuse = (code: number, message: string): void => {
    stream.respond(
      {
        ":status": 200,
        "content-type": "application/grpc",
        "grpc-status": String(code),
        "grpc-message": message,
      },
      { endStream: true },
    );
  };
  const begin = (headers: Record<string, string> = {}): void =>
    stream.respond({ ":status": 200, "content-type": "application/grpc", ...headers });
  const fields = readBytesFields(request);
  const text = (number: number): string =>
    fields.findLast((field) => field.number === number)?.value.toString() ?? "";

  switch (path.replace("/opentalon.plugin.v1.PluginService/", "")) {
    case "Init":
      if (options.init === "hang") return;
      if (options.init === "crash") return endProcess(8);
      if (options.init === "refuse") return refuse(3, "configure: the key is missing");
      if (options.init === "unimplemented") return refuse(12, "unknown method Init");
      config = text(1);
      return respond(Buffer.alloc(0));
    case "Capabilities":
      if (options.capabilities === "hang") return;
      if (options.capabilities === "crash") return endProcess(9);
      return respond(toCapabilitiesMessage());
    case "RefreshCapabilities":
      if (options.refreshed === undefined) return refuse(12, "unknown method");
      return respond(toCapabilitiesMessage(options.refreshed));
    case "/grpc.health.v1.Health/Check":
      if (options.health === undefined) return refuse(12, "unknown service");
      return respond(Buffer.from([8, options.health === "serving" ? 1 : 2]));
    case "Execute": {
      if (options.callbacks === true) return refuse(12, "this plugin needs ExecuteBidi");
      const call = toCall(request, (listener) => void stream.once("aborted", listener));
      switch (call.action) {
        case "status":
          return refuse(9, "not today");
        case "huge": {
          begin();
          const prefix = Buffer.alloc(5);
          prefix.writeUInt32BE(oneGigabyte, 1);
          stream.write(prefix);
          return pour(stream, Buffer.alloc(2 ** 20, 0x61), oneGigabyte);
        }
        case "bomb": {
          const packed = gzipSync(Buffer.alloc(oneGigabyte / 64));
          begin({ "grpc-encoding": "gzip" });
          return void stream.end(
            toMessageFrame(Buffer.concat(Array.from({ length: 64 }, () => packed)), true),
          );
        }
        case "endless":
          begin();
          return pour(
            stream,
            toMessageFrame(
              toResultMessage({
                id: call.id,
                content: Buffer.alloc(60_000, 0x61),
                error: "",
                structured: "",
              }),
            ),
          );
        case "trickle":
          begin();
          return void stream.write(Buffer.from("0000000100" + "12", "hex"));
        default:
          return answer(call, (result) => respond(toResultMessage(result)));
      }
    }
    default:
      return refuse(12, `unknown method ${path}`);
  }
}

async function createGrpcListener(): Promise<(socket: Socket) => void> {
  const http2 = await import("node:http2");
  const server = options.tls === undefined ? http2.createServer() : toTlsServer(http2, options.tls);
  server.on("sessionError", () => {});
  server.on("tlsClientError", () => {});
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const parts: Buffer[] = [];
    const { ":path": path = "", authorization } = headers;
    if (options.noteQuestions === true)
      note({ event: "asked", method: path.split("/").at(-1), authorization });
    stream.on("error", () => {});
    if (options.callbacks === true && String(headers[":path"]).endsWith("/ExecuteBidi"))
      return serveCallbacks(stream, {
        note,
        first: options.first,
        answer: (request, reply) =>
          answer(
            toCall(request, (listener) => void stream.once("aborted", listener)),
            (result) => reply(toResultMessage(result)),
          ),
      });
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => serveGrpcCall(stream, path, Buffer.concat(parts).subarray(5)));
  });
  return (socket) => void server.emit("connection", socket);
}

function toTlsServer(
  http2: typeof import("node:http2"),
  { cert, key, ca }: NonNullable<FakePluginOptions["tls"]>,
): Http2Server | Http2SecureServer {
  const read = (path: string): Buffer => readFileSync(path);
  const own = { cert: read(cert), key: read(key) };
  if (ca === undefined) return http2.createSecureServer(own);
  return http2.createSecureServer({ ...own, ca: read(ca), requestCert: true });
}

// --- length-prefixed JSON

function serveJsonRequest(socket: Socket, request: Record<string, unknown>): void {
  const respond = (response: unknown): void => writeFrame(Buffer.from(JSON.stringify(response)));
  const writeFrame = (document: Buffer): void => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(document.length);
    socket.write(Buffer.concat([length, document]));
  };
  if (request["method"] === "capabilities") {
    if (options.capabilities === "hang") return;
    if (options.capabilities === "crash") return endProcess(9);
    const parameters = [{ name: "text", description: "Some text", type: "string", required: true }];
    const actions = (options.actions ?? actionNames).map((action) => ({
      name: action,
      description: `Action ${action}`,
      parameters,
      inject_context_args: ["session_id"],
      read_only: action === "echo",
    }));
    return respond({
      caps: {
        name,
        description: "A fake",
        actions,
        system_prompt_addition: options.promptAddition,
      },
    });
  }
  if (request["method"] !== "execute")
    return respond({ error: `unknown method ${String(request["method"])}` });
  const {
    id = "",
    plugin = "",
    action = "",
    args = {},
  } = request as Record<string, string> & { args?: Record<string, string> };
  const onCancelled = (listener: () => void): void => void socket.once("close", listener);
  const length = Buffer.alloc(4);
  switch (action) {
    case "status":
      return void socket.destroy();
    case "huge":
    case "bomb":
      length.writeUInt32BE(oneGigabyte);
      socket.write(length);
      return pour(socket, Buffer.alloc(2 ** 20, 0x61), oneGigabyte);
    case "endless":
      length.writeUInt32BE(12);
      return pour(socket, Buffer.concat([length, Buffer.from('{"error":""}')]));
    case "trickle":
      return void socket.write(Buffer.from("000000647b", "hex"));
    case "invalid-utf8":
      return writeFrame(
        Buffer.concat([
          Buffer.from(`{"call_id":${JSON.stringify(id)},"content":"`),
          invalidUtf8,
          Buffer.from('"}'),
        ]),
      );
    default:
      answer({ id, plugin, action, args, credentials: [], onCancelled }, (result) =>
        respond({
          ...(result.id === "" ? {} : { call_id: result.id }),
          ...(result.error === ""
            ? { content: result.content.toString() }
            : { error: result.error }),
          ...(result.structured === "" ? {} : { structured_content: result.structured }),
        }),
      );
  }
}

function serveJson(socket: Socket): void {
  let buffered = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    buffered = Buffer.concat([buffered, bytes]);
    while (buffered.length >= 4) {
      const length = buffered.readUInt32BE(0);
      if (length > 4 * 2 ** 20) return void socket.destroy();
      if (buffered.length < 4 + length) return;
      const document = buffered.subarray(4, 4 + length).toString();
      buffered = buffered.subarray(4 + length);
      serveJsonRequest(socket, JSON.parse(document) as Record<string, unknown>);
    }
  });
}

// --- process

async function start(): Promise<void> {
  note({ event: "started", pid: process.pid });
  if (options.ignoreSignals === true) {
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => {});
  }
  if (options.grandchild === true) {
    const stdio = options.start === "close-stdout" ? "ignore" : "inherit";
    const child = spawn(
      process.execPath,
      ["-e", "process.on('SIGINT', () => {}); setInterval(() => {}, 1000)"],
      { stdio },
    );
    note({ event: "grandchild", pid: child.pid });
  }
  switch (options.start) {
    case "crash":
      console.error("cannot find my configuration");
      return endProcess(3);
    case "hang":
      return void setInterval(() => {}, 1_000);
    case "wrong-handshake":
      console.log("Welcome to the fake plugin!");
      return void setInterval(() => {}, 1_000);
    case "long-line":
      process.stdout.write("x".repeat(100_000));
      return void setInterval(() => {}, 1_000);
    case "flood-stdout":
      return flood(process.stdout, Buffer.alloc(65_536, 0x78));
    case "close-stdout":
      (await import("node:fs")).closeSync(1);
      return void setInterval(() => {}, 1_000);
    case "remote-web-address":
    case undefined:
  }

  const folder = mkdtempSync(join(options.socketParent ?? tmpdir(), "opentalon-plugin-"));
  if (options.tidy === true) {
    process.on("SIGINT", () => {
      rmSync(folder, { recursive: true });
      endProcess(0);
    });
  }
  const greet = generation === "grpc" ? await createGrpcListener() : serveJson;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    const delayMs = options.greetingDelayMs ?? 0;
    if (delayMs === 0) greet(socket);
    else setTimeout(() => greet(socket), delayMs);
  });
  deafen = () => {
    setInterval(() => {}, 1_000);
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  const path = join(folder, "plugin.sock");
  const announce = (): void => {
    const address = server.address();
    if (typeof address === "object") port = address?.port;
    const where = port === undefined ? `unix|${path}` : `tcp|127.0.0.1:${port}`;
    console.log(`1|${where}${webAddress === undefined ? "" : `|${webAddress}`}`);
    for (const line of options.errorLines ?? []) console.error(line);
    if (options.flood !== undefined)
      flood(process[options.flood], Buffer.alloc(65_536, `${"x".repeat(99)}\n`));
  };
  const webAddress = await openWebServer();
  if (network === "unix") server.listen(path, announce);
  else server.listen(options.port ?? 0, "127.0.0.1", announce);
}

/** A web server that echoes, at the port the host gave or, as a bad example, at another one; its address. */
async function openWebServer(): Promise<string | undefined> {
  if (options.start === "remote-web-address") return "10.0.0.1:80";
  const given = process.env["OPENTALON_HTTP_PORT"];
  if (options.web === undefined || given === undefined) return undefined;
  const { createServer: createWebServer } = await import("node:http");
  const web = createWebServer(({ method, url, headers }, response) => {
    response.end(JSON.stringify({ method, url, headers }));
  });
  const wanted = options.web === "given-port" ? Number(given) : 0;
  await new Promise<void>((resolve) => web.listen(wanted, "127.0.0.1", resolve));
  const address = web.address();
  return typeof address === "object" ? `127.0.0.1:${address?.port}` : undefined;
}

function flood(stream: NodeJS.WriteStream, chunk: Buffer): void {
  const write = (): void => {
    // Leaves the loop now and then, so that the plugin still answers.
    if (stream.write(chunk)) setImmediate(write);
    else stream.once("drain", write);
  };
  write();
}

await start();
