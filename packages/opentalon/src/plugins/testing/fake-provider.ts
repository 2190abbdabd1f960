/**
 * A provider plugin for tests: a real process that answers well, badly or not at all.
 *
 *     node --conditions=@opentalon/source fake-provider.ts '<FakeProviderOptions as JSON>'
 *
 * See `fake-provider-options.ts` for what it can be told.
 */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, toJson } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { providerMessages as messages, providerServiceMethods } from "@opentalon/protocol";
import type { FakeProviderOptions } from "./fake-provider-options.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as FakeProviderOptions;
const { models = [{ id: "parrot" }], journal } = options;
const note = (event: Readonly<Record<string, unknown>>): void => {
  if (journal !== undefined) appendFileSync(journal, `${JSON.stringify(event)}\n`);
};

let config = "";
const server = new Server();
server.addService(providerServiceMethods, {
  init: (call: ServerUnaryCall<messages.InitRequest, unknown>, answer: sendUnaryData<unknown>) => {
    config = call.request.configJson;
    if (options.init === "hang") return;
    if (options.init === "refuse")
      return answer({ code: status.INVALID_ARGUMENT, details: "configure: `model` is missing" });
    if (options.init === "unimplemented") return answer({ code: status.UNIMPLEMENTED });
    answer(null, create(EmptySchema));
  },
  models: (
    call: ServerUnaryCall<messages.ModelsRequest, unknown>,
    answer: sendUnaryData<unknown>,
  ) => {
    note({ event: "listed", credential: call.request.credential });
    if (options.listing === "hang") return;
    if (options.listing === "unimplemented") return answer({ code: status.UNIMPLEMENTED });
    answer(null, create(messages.ModelsResponseSchema, { models: [...models] }));
  },
  complete: (call: Call) => {
    note({ event: "call", request: toJson(messages.CompleteRequestSchema, call.request) });
    call.on("cancelled", () => note({ event: "cancelled" }));
    void answerCall(call);
  },
});

type Call = ServerWritableStream<messages.CompleteRequest, messages.CompleteEvent>;
type Kind = MessageInitShape<typeof messages.CompleteEventSchema>["kind"];

async function answerCall(call: Call): Promise<void> {
  const send = (kind?: Kind): boolean =>
    call.write(create(messages.CompleteEventSchema, kind === undefined ? {} : { kind }));
  const say = (text: string): boolean => send({ case: "textDelta", value: text });
  const finish = (reason: messages.FinishReason = messages.FinishReason.STOP): void => {
    const usage = {
      inputTokens: 11n,
      outputTokens: 7n,
      cachedInputTokens: 5n,
      reasoningTokens: 2n,
    };
    send({ case: "usage", value: usage });
    send({ case: "finish", value: { reason } });
    call.end();
  };
  const forEver = async (task: () => boolean): Promise<void> => {
    while (!call.cancelled) {
      if (!task()) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const last = call.request.messages.findLast(({ kind }) => kind.case === "user")?.kind;
  const text = last?.case === "user" ? last.value.content : "";
  const [order = "", reason = ""] = text.split(":");
  switch (order) {
    case "crash":
      say("Half an answer");
      setTimeout(() => process.kill(process.pid, "SIGKILL"), 50);
      return;
    case "hang":
      return;
    case "stall":
      say("Half");
      return;
    case "alive":
      say("Half");
      return forEver(() => (send(), false));
    case "end":
      say("Half an answer");
      call.end();
      return;
    case "status":
      say("Half an answer");
      call.emit("error", { code: status.INTERNAL, details: `bad key ${call.request.credential}` });
      return;
    case "flood":
      return forEver(() => say("x".repeat(10_000)));
    case "tools":
      send({ case: "toolCall", value: { id: "t1", name: "a__b", argumentsJson: '{"x":1}' } });
      send({ case: "toolCall", value: { id: "t1", name: "", argumentsJson: "no JSON" } });
      return finish();
    case "many-tools":
      return forEver(() => send({ case: "toolCall", value: { name: "a__b" } }));
    case "think":
      send({ case: "reasoningDelta", value: "Hm." });
      say("Done.");
      return finish();
    case "fail": {
      const value = {
        reason: messages.FailureReason[reason as "BILLING"],
        message: `no,\nnot with ${call.request.credential}`,
        retryAfterMs: 1_500,
        status: 429,
      };
      send({ case: "failure", value });
      call.end();
      return;
    }
    case "request":
      say(JSON.stringify(toJson(messages.CompleteRequestSchema, call.request)));
      return finish();
    case "environment":
      say(JSON.stringify(process.env));
      return finish();
    case "config":
      say(config);
      return finish();
    case "process":
      say(String(process.pid));
      return finish();
    default:
      for (const word of `You said: ${text}`.split(/(?<= )/)) {
        say(word);
        await new Promise((resolve) => setImmediate(resolve));
      }
      return finish();
  }
}

const folder = mkdtempSync(join(tmpdir(), "opentalon-plugin-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(0));
const socket = join(folder, "provider.sock");
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  note({ event: "started", pid: process.pid });
  process.stdout.write(`1|unix|${socket}\n`);
});
