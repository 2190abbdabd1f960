import { create } from "@bufbuild/protobuf";
import {
  providerMessages as messages,
  providerServiceMethods as methods,
} from "@opentalon/protocol";
import { callUnary, createGrpcClient } from "./grpc-call.ts";
import type { StartedProcess, StartOptions } from "./launch.ts";
import { introductionMs, launchPlugin, toPluginError, toStartedProcess } from "./launch.ts";
import { isUnimplemented } from "./reply.ts";
import { callComplete, type CompleteEventKind } from "./provider-call.ts";

export interface StartProviderOptions extends StartOptions {
  /** The credential for `Models` and for questions that bring none. */
  readonly credential?: string | undefined;
}

/** A question to a model: a text of one person, or a whole conversation. */
export interface ProviderQuestion {
  readonly model: string;
  /** What a person says last. */
  readonly text: string;
  /** What was said before, oldest first. */
  readonly earlier?: readonly { readonly role: "user" | "assistant"; readonly content: string }[];
  readonly system?: string;
  readonly tools?: readonly {
    readonly name: string;
    readonly description: string;
    /** JSON Schema of an object. */
    readonly inputSchema: Readonly<Record<string, unknown>>;
  }[];
  readonly maxTokens?: number;
  readonly credential?: string;
}

/** What a model gave. */
export interface ProviderAnswer {
  readonly text: string;
  readonly reasoning: string;
  readonly toolCalls: readonly {
    readonly id: string;
    readonly name: string;
    readonly arguments: string;
  }[];
  /** The last one it sent. */
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number } | undefined;
  /** Why it ended, such as `STOP`; `undefined` when there was a failure instead. */
  readonly finish: string | undefined;
  /** `reason` such as `RATE_LIMITED`. */
  readonly failure:
    | {
        readonly reason: string;
        readonly message: string;
        readonly retryAfterMs: number;
        readonly status: number;
      }
    | undefined;
  /** Pieces of text, as they came. */
  readonly pieces: readonly string[];
}

export interface StartedProvider extends StartedProcess {
  /** Identifiers of its models, in order of preference. */
  readonly models: readonly string[];
  /**
   * Asks a model once. A failure the plugin reports is an answer with `failure`.
   * @throws Error when the answer broke off: a gRPC status, a stream without an end, too much time.
   */
  readonly complete: (
    question: ProviderQuestion,
    options?: {
      /** 30,000 milliseconds unless given. */
      readonly timeoutMs?: number;
      readonly signal?: AbortSignal;
      /** Called with each piece of the text as it comes. */
      readonly onText?: (text: string) => void;
    },
  ) => Promise<ProviderAnswer>;
}

const defaultTimeoutMs = 30_000;

/**
 * Starts a real provider plugin, in whatever language, the way OpenTalon does: handshake, Init, Models.
 *
 * @throws Error when it does not start, refuses `config` or does not introduce itself within five seconds, with the last
 *   lines it wrote to standard error. Nothing of it is left then.
 * @example
 * await using models = await startProvider({
 *   command: [process.execPath, "examples/03-provider-plugin/main.ts"],
 * });
 * assert.equal((await models.complete({ model: "sums", text: "2 + 3" })).text, "2 + 3 = 5");
 */
export async function startProvider(options: StartProviderOptions): Promise<StartedProvider> {
  const { process, address } = await launchPlugin(options);
  const client = createGrpcClient(address);
  const patience = { timeoutMs: introductionMs };
  const fail = async (problem: string): Promise<never> => {
    client.close();
    await process.stop(0);
    throw toPluginError(process, problem);
  };
  const configJson = JSON.stringify(options.config ?? {});
  const init = await callUnary(
    client,
    methods.init,
    create(messages.InitRequestSchema, { configJson }),
    patience,
  );
  if (init.kind !== "reply" && !isUnimplemented(init)) return fail(`${init.words} (Init)`);
  const credential = options.credential ?? "";
  const listed = await callUnary(
    client,
    methods.models,
    create(messages.ModelsRequestSchema, { credential }),
    patience,
  );
  if (listed.kind !== "reply" && !isUnimplemented(listed)) return fail(`${listed.words} (Models)`);
  return {
    ...toStartedProcess(process, () => client.close()),
    models: listed.kind === "reply" ? listed.value.models.map(({ id }) => id) : [],
    complete: async (question, { timeoutMs = defaultTimeoutMs, signal, onText } = {}) => {
      const reply = await callComplete(client, toRequest(question, credential), {
        timeoutMs,
        signal,
        onEvent: (event) => {
          if (event.case === "textDelta") onText?.(event.value);
        },
      });
      if (reply.kind !== "reply") throw toPluginError(process, `${reply.words} (Complete)`);
      const answer = toAnswer(reply.value);
      if (answer.finish === undefined && answer.failure === undefined)
        throw toPluginError(process, "ended its answer without a finish and without a failure");
      return answer;
    },
  };
}

function toRequest(question: ProviderQuestion, credential: string): messages.CompleteRequest {
  const { model, text, earlier = [], system = "", tools = [], maxTokens = 0 } = question;
  const conversation = [...earlier, { role: "user", content: text } as const];
  return create(messages.CompleteRequestSchema, {
    model,
    credential: question.credential ?? credential,
    system,
    maxTokens,
    sessionKey: "test",
    messages: conversation.map(({ role, content }) =>
      create(messages.MessageSchema, { kind: { case: role, value: { content } } }),
    ),
    tools: tools.map(({ name, description, inputSchema }) =>
      create(messages.ToolSchema, {
        name,
        description,
        inputSchemaJson: JSON.stringify(inputSchema),
      }),
    ),
  });
}

function toAnswer(events: readonly CompleteEventKind[]): ProviderAnswer {
  const pieces: string[] = [];
  const toolCalls: ProviderAnswer["toolCalls"][number][] = [];
  let reasoning = "";
  let usage: ProviderAnswer["usage"];
  let finish: string | undefined;
  let failure: ProviderAnswer["failure"];
  for (const event of events) {
    if (finish !== undefined || failure !== undefined) break;
    if (event.case === "textDelta") pieces.push(event.value);
    else if (event.case === "reasoningDelta") reasoning += event.value;
    else if (event.case === "toolCall") {
      const { id, name, argumentsJson } = event.value;
      toolCalls.push({ id, name, arguments: argumentsJson });
    } else if (event.case === "usage") {
      const { inputTokens, outputTokens } = event.value;
      usage = { inputTokens: Number(inputTokens), outputTokens: Number(outputTokens) };
    } else if (event.case === "finish") {
      finish = toName(messages.FinishReason, event.value.reason);
    } else if (event.case === "failure") {
      const { reason, message, retryAfterMs, status: httpStatus } = event.value;
      failure = {
        reason: toName(messages.FailureReason, reason),
        message,
        retryAfterMs,
        status: httpStatus,
      };
    }
  }
  return { text: pieces.join(""), reasoning, toolCalls, usage, finish, failure, pieces };
}

function toName(names: Readonly<Record<string, number>>, wanted: number): string {
  return Object.entries(names).find(([, value]) => value === wanted)?.[0] ?? "UNSPECIFIED";
}
