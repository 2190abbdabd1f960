import * as grpc from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  providerMessages as messages,
  providerServiceMethods as methods,
} from "@opentalon/protocol";
import type { Breaks, BreakingService } from "./rule-breaking-tool.ts";

type Answer = grpc.sendUnaryData<unknown>;
type Call = grpc.ServerWritableStream<messages.CompleteRequest, messages.CompleteEvent>;

/** A provider plugin with one model, `parrot`, that keeps every rule but what `breaks` says. */
export function providerHandlers(breaks: Breaks): BreakingService {
  let running = 0;
  const handlers = {
    init: (call: grpc.ServerUnaryCall<messages.InitRequest, unknown>, answer: Answer) => {
      const isWrong = call.request.configJson === "[]";
      if (!isWrong && breaks("init"))
        return answer({ code: grpc.status.INTERNAL, details: "no settings" });
      if (isWrong && breaks("refuses-wrong-configuration"))
        return answer({ code: grpc.status.UNKNOWN, details: "TypeError" });
      if (isWrong) return answer({ code: grpc.status.INVALID_ARGUMENT, details: "not an object" });
      answer(null, create(EmptySchema));
    },
    models: (_call: unknown, answer: Answer) => {
      if (breaks("models")) return answer({ code: grpc.status.INTERNAL, details: "not now" });
      const model = { id: "parrot", input: breaks("model-facts") ? ["smell"] : ["image"] };
      const models = breaks("model-names") ? [model, model] : [model];
      answer(null, create(messages.ModelsResponseSchema, { models }));
    },
    complete: (call: Call) => {
      const { model } = call.request;
      running += 1;
      let isAnswered = false;
      // Also said of calls that have ended.
      call.on("cancelled", () => {
        if (!isAnswered && breaks("cancelled-calls")) process.exit(9);
      });
      // Long enough for a caller to give up meanwhile.
      setTimeout(() => {
        isAnswered = true;
        const isAlone = running === 1;
        running -= 1;
        if (!isAlone && breaks("parallel-calls")) return;
        if (model !== "parrot" && breaks("complete"))
          return void call.emit("error", { code: grpc.status.NOT_FOUND, details: "no such model" });
        send(call, model === "parrot" ? "finish" : "failure", breaks("answers"));
      }, 10);
    },
  };
  return { methods, handlers };
}

function send(call: Call, end: "finish" | "failure", isTalkative: boolean): void {
  const write = (kind: NonNullable<Parameters<typeof toEvent>[0]>): void =>
    void call.write(toEvent(kind));
  if (end === "failure") {
    const reason = messages.FailureReason.INVALID_REQUEST;
    write({ case: "failure", value: create(messages.FailureSchema, { reason, message: "none" }) });
  } else {
    write({ case: "textDelta", value: "hello" });
    write({ case: "finish", value: create(messages.FinishSchema, {}) });
    if (isTalkative) write({ case: "textDelta", value: "and one more thing" });
  }
  call.end();
}

function toEvent(kind: messages.CompleteEvent["kind"]): messages.CompleteEvent {
  return create(messages.CompleteEventSchema, { kind });
}
