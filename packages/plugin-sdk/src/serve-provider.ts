import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import * as grpc from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { type providerMessages as messages, providerServiceMethods } from "@opentalon/protocol";
import type { CompletionPart, ModelDefinition, ProviderDefinition } from "./define-provider.ts";
import { parseConfigJson, serveHost, toMessage } from "./own-server.ts";
import { toCompletionRequest, toEvent, toFailureEvent, toModels } from "./provider-events.ts";

/**
 * Makes this program a provider plugin: listens on a socket of its own, tells the host where, and answers for its models
 * until it is told to stop (SIGINT, SIGTERM) or its host is gone. Resolves once it listens; the process then lives by
 * itself.
 *
 * Standard output belongs to the host: `console.log` goes to standard error, which the host logs.
 *
 * @throws Error when the definition cannot work or no socket can be made.
 * @example
 * await serveProvider({
 *   models: [{ id: "parrot", contextWindow: 8_000 }],
 *   async *complete({ messages }) {
 *     const said = messages.findLast(({ role }) => role === "user")?.content ?? "";
 *     if (said === "") throw new ProviderFailure({ reason: "invalid-request", status: 400 });
 *     for (const word of said.split(" ")) yield `${word} `;
 *     yield { kind: "usage", inputTokens: said.length, outputTokens: said.length };
 *   },
 * });
 */
export async function serveProvider(provider: ProviderDefinition): Promise<void> {
  if (typeof provider.complete !== "function")
    throw new Error("a provider needs a function `complete`");
  await serveHost({ methods: providerServiceMethods, handlers: createHandlers(provider) });
}

function createHandlers(provider: ProviderDefinition): grpc.UntypedServiceImplementation {
  return {
    init: (
      call: ServerUnaryCall<messages.InitRequest, unknown>,
      answer: sendUnaryData<unknown>,
    ) => {
      configure(provider, call.request.configJson).then(
        () => answer(null, create(EmptySchema)),
        (error: unknown) =>
          answer({ code: grpc.status.INVALID_ARGUMENT, details: `configure: ${toMessage(error)}` }),
      );
    },
    models: (
      call: ServerUnaryCall<messages.ModelsRequest, unknown>,
      answer: sendUnaryData<messages.ModelsResponse>,
    ) => {
      const cancelled = new AbortController();
      call.on("cancelled", () => cancelled.abort());
      findModels(provider, call.request.credential, cancelled.signal).then(
        (models) => answer(null, toModels(models)),
        (error: unknown) =>
          answer({ code: grpc.status.UNKNOWN, details: `models: ${toMessage(error)}` }),
      );
    },
    complete: (call: ServerWritableStream<messages.CompleteRequest, messages.CompleteEvent>) => {
      void answerCall(provider, call);
    },
  };
}

async function configure({ onConfigure }: ProviderDefinition, configJson: string): Promise<void> {
  await onConfigure?.(parseConfigJson(configJson));
}

async function findModels(
  { models = [] }: ProviderDefinition,
  credential: string,
  signal: AbortSignal,
): Promise<readonly ModelDefinition[]> {
  if (typeof models !== "function") return models;
  return models({ credential: toCredential(credential), signal });
}

/** Writes one answer, from its first event to its last. Never rejects. */
async function answerCall(
  provider: ProviderDefinition,
  call: ServerWritableStream<messages.CompleteRequest, messages.CompleteEvent>,
): Promise<void> {
  const cancelled = new AbortController();
  const { signal } = cancelled;
  const gone = new Promise<"gone">((resolve) =>
    signal.addEventListener("abort", () => resolve("gone"), { once: true }),
  );
  call.on("cancelled", () => cancelled.abort());
  call.on("error", () => cancelled.abort());
  const write = async (event: messages.CompleteEvent): Promise<void> => {
    if (signal.aborted || call.write(event)) return;
    // A host that reads slowly is waited for, so that an answer never piles up here.
    await Promise.race([new Promise((resolve) => call.once("drain", resolve)), gone]);
  };
  let parts: AsyncIterator<CompletionPart> | undefined;
  try {
    const context = { credential: toCredential(call.request.credential), signal };
    parts = provider.complete(toCompletionRequest(call.request), context)[Symbol.asyncIterator]();
    let hasToolCalls = false;
    for (;;) {
      const next = await Promise.race([parts.next(), gone]);
      if (next === "gone") break;
      const part: CompletionPart =
        next.done === true
          ? { kind: "finish", reason: hasToolCalls ? "tool-calls" : "stop" }
          : next.value;
      await write(toEvent(part));
      if (typeof part !== "string" && part.kind === "finish") break;
      if (typeof part !== "string" && part.kind === "tool-call") hasToolCalls = true;
    }
  } catch (error) {
    await write(toFailureEvent(error));
  }
  call.end();
  // Lets an author's `finally` run when the answer was not read to its end. It may still wait for something; nobody does
  // for it.
  void Promise.resolve(parts?.return?.()).catch(() => undefined);
}

function toCredential(text: string): string | undefined {
  return text === "" ? undefined : text;
}
