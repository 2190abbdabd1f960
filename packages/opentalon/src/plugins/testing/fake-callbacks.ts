import type { ServerHttp2Stream } from "node:http2";
import { bytesField, readBytesFields } from "./protobuf-lite.ts";

/** How the action "ask" goes about it; its members come as JSON texts in the arguments of the call. */
export interface AskPlan {
  /** What it asks for, all at once; `repeat` times each, once when absent. */
  readonly requests?: readonly {
    readonly plugin: string;
    readonly action: string;
    readonly args?: Readonly<Record<string, string>>;
    readonly repeat?: number;
  }[];
  /** Instead of answering with what came back: */
  readonly end?:
    | "never"
    /** answers without waiting for what it asked for */
    | "at-once"
    /** ends the stream without a result */
    | "without-result"
    /** sends a message with nothing in it */
    | "empty"
    /** goes on asking for the first request, each time one is answered */
    | "flood"
    /** asks as fast as it can and reads no answer */
    | "deaf";
}

/** One answer to a request of "ask", as it came back. */
export interface AskAnswer {
  readonly id: string;
  readonly content: string;
  readonly error: string;
  readonly structured: string;
}

interface Serving {
  /** What "check" asks for before it answers. */
  readonly first: NonNullable<AskPlan["requests"]>[number] | undefined;
  readonly note: (event: Record<string, unknown>) => void;
  /** Answers an action other than "ask"; `reply` takes a ToolResultResponse. */
  readonly answer: (call: Buffer, reply: (result: Buffer) => void) => void;
}

/** ExecuteBidi, written by hand. Notes whether the host half-closes, which it must not. */
export function serveCallbacks(stream: ServerHttp2Stream, { first, note, answer }: Serving): void {
  const send = (field: 1 | 2, message: Buffer): boolean => {
    if (stream.destroyed || stream.writableEnded) return true;
    const payload = bytesField(field, message);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(payload.length, 1);
    return stream.write(Buffer.concat([prefix, payload]));
  };
  let isFinished = false;
  const finish = (result: Buffer): void => {
    isFinished = true;
    send(2, result);
    stream.end();
  };
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  // After the result the host has nothing more to say.
  stream.on("end", () => {
    if (!isFinished) note({ event: "half-closed" });
  });
  stream.on("aborted", () => note({ event: "cancelled" }));

  let isCalled = false;
  let onAnswer = (_: AskAnswer): void => {};
  let buffered = Buffer.alloc(0);
  stream.on("data", (bytes: Buffer) => {
    buffered = Buffer.concat([buffered, bytes]);
    while (buffered.length >= 5 && buffered.length >= 5 + buffered.readUInt32BE(1)) {
      const length = buffered.readUInt32BE(1);
      const [payload] = readBytesFields(buffered.subarray(5, 5 + length));
      buffered = buffered.subarray(5 + length);
      if (payload?.number === 2) onAnswer(toAnswer(payload.value));
      if (payload?.number !== 1) continue;
      if (isCalled) note({ event: "second-call" });
      isCalled = true;
      const call = readCall(payload.value);
      if (call.action === "check" && first !== undefined) {
        onAnswer = () => answer(payload.value, finish);
        send(1, toRequest("first", first));
      } else if (call.action === "ask") onAnswer = ask(stream, call, { send, finish, note });
      else answer(payload.value, finish);
    }
  });
}

interface AskCall {
  readonly id: string;
  readonly action: string;
  readonly plan: AskPlan;
}

interface Writing {
  readonly note: Serving["note"];
  readonly send: (field: 1 | 2, message: Buffer) => boolean;
  readonly finish: (result: Buffer) => void;
}

/** Sends what the plan says; the returned function takes the answers. */
function ask(
  stream: ServerHttp2Stream,
  { id, plan: { requests = [], end } }: AskCall,
  { send, finish, note }: Writing,
): (answer: AskAnswer) => void {
  const wanted = requests.flatMap((request) =>
    Array.from({ length: request.repeat ?? 1 }, () => request),
  );
  const sendRequest = (index: number): boolean => {
    const request = wanted[index % wanted.length];
    if (request === undefined) return true;
    return send(1, toRequest(`cb-${index}`, request));
  };
  note({ event: "call", action: "ask", id });
  const sayDone = (content: string): void =>
    finish(Buffer.concat([bytesField(1, id), bytesField(2, content)]));
  if (end === "deaf") {
    stream.pause();
    let index = 0;
    const pour = (): void => {
      while (!stream.destroyed) {
        index += 1;
        if (!sendRequest(index)) return void stream.once("drain", pour);
      }
    };
    pour();
    return () => {};
  }
  for (const index of wanted.keys()) sendRequest(index);
  if (end === "at-once") sayDone("did not wait");
  if (end === "without-result") stream.end();
  if (end === "empty") stream.write(Buffer.alloc(5));
  if (wanted.length === 0) sayDone("[]");
  const answers: AskAnswer[] = [];
  let next = wanted.length;
  return (answer) => {
    if (end === "flood") {
      next += 1;
      return void sendRequest(next);
    }
    if (end !== undefined) return;
    answers.push(answer);
    if (answers.length === wanted.length) sayDone(JSON.stringify(answers));
  };
}

function readCall(message: Buffer): AskCall {
  const fields = readBytesFields(message);
  const text = (number: number): string =>
    fields.findLast((field) => field.number === number)?.value.toString() ?? "";
  const args = fields
    .filter(({ number }) => number === 4)
    .map(({ value }) => readBytesFields(value).map((field) => field.value.toString()));
  const plan = Object.fromEntries(
    args.map(([name = "", value = ""]) => [name, name === "requests" ? JSON.parse(value) : value]),
  ) as AskPlan;
  return { id: text(1), action: text(3), plan };
}

function toRequest(id: string, request: NonNullable<AskPlan["requests"]>[number]): Buffer {
  const args = Object.entries(request.args ?? {}).map(([name, value]) =>
    bytesField(4, Buffer.concat([bytesField(1, name), bytesField(2, value)])),
  );
  return Buffer.concat([
    bytesField(1, id),
    bytesField(2, request.plugin),
    bytesField(3, request.action),
    ...args,
  ]);
}

function toAnswer(message: Buffer): AskAnswer {
  const fields = readBytesFields(message);
  const text = (number: number): string =>
    fields.findLast((field) => field.number === number)?.value.toString() ?? "";
  return { id: text(1), content: text(2), error: text(3), structured: text(4) };
}
