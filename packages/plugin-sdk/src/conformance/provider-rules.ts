import type { Client } from "@grpc/grpc-js";
import { create } from "@bufbuild/protobuf";
import {
  providerMessages as messages,
  providerServiceMethods as methods,
} from "@opentalon/protocol";
import { callUnary, createGrpcClient } from "../testing-kit/grpc-call.ts";
import { callComplete, type CompleteEventKind } from "../testing-kit/provider-call.ts";
import type { Reply } from "../testing-kit/reply.ts";
import { isUnimplemented } from "../testing-kit/reply.ts";
import type { Bench, BenchOptions, Connection, Session } from "./bench.ts";
import { createBench } from "./bench.ts";
import { disappearMidCall } from "./disappear.ts";
import { judgeInit, judgeRefusal } from "./introduction-rules.ts";
import type { Rule, Verdict } from "./rule.ts";
import { broken, kept, notApplicable, NotReached, toVerdict } from "./rule.ts";

interface ProviderSession extends Session {
  readonly client: Client;
  readonly models: Reply<messages.ModelsResponse>;
}

interface ProviderBench extends Bench<ProviderSession> {
  /** What the first Init was answered. */
  readonly init: () => Promise<Reply<unknown>>;
}

/** A model no provider has. */
const unknownModel = "opentalon-conformance-unknown";
const inputs: readonly string[] = ["image", "pdf", "audio", "text"];

export function createProviderBench(
  options: Omit<BenchOptions<ProviderSession>, "introduce">,
): ProviderBench {
  const { limits, configJson } = options;
  const patience = { timeoutMs: limits.introductionMs };
  let first: Reply<unknown> | undefined;
  const bench = createBench<ProviderSession>({
    ...options,
    introduce: async (opened) => {
      const client = createGrpcClient(opened.address);
      const init =
        first?.kind === "timed-out"
          ? first
          : await callUnary(
              client,
              methods.init,
              create(messages.InitRequestSchema, { configJson }),
              patience,
            );
      first ??= init;
      if (init.kind === "status" && !isUnimplemented(init)) {
        client.close();
        throw new NotReached("it refuses its configuration");
      }
      const models = await askModels(client, limits.introductionMs);
      return {
        ...toConnection(client, limits.callMs),
        opened,
        client,
        models,
        connect: () => toConnection(createGrpcClient(opened.address), limits.callMs),
      };
    },
  });
  return {
    ...bench,
    init: async () => {
      try {
        await bench.session();
      } catch (error) {
        if (first === undefined || !(error instanceof NotReached)) throw error;
      }
      if (first === undefined) throw new NotReached("it was never met");
      return first;
    },
  };
}

export const providerRules: readonly Rule<ProviderBench>[] = [
  {
    name: "init",
    level: "must",
    title: "It takes its configuration (Init) before everything else, within five seconds",
    remedy:
      "answer Init, also with `{}`; refuse what is wrong with INVALID_ARGUMENT and words; leave the method out when there is nothing to configure",
    check: async (bench) => judgeInit(await bench.init(), bench.hasConfig),
  },
  {
    name: "refuses-wrong-configuration",
    level: "should",
    title: "It refuses a wrong configuration with INVALID_ARGUMENT",
    remedy: "answer Init with INVALID_ARGUMENT and say which key is wrong",
    check: async (bench) => {
      const { address, process } = await bench.open();
      const client = createGrpcClient(address);
      const request = create(messages.InitRequestSchema, { configJson: "[]" });
      const patience = { timeoutMs: bench.limits.introductionMs };
      const reply = await callUnary(client, methods.init, request, patience);
      client.close();
      await process.stop(0);
      return judgeRefusal(reply);
    },
  },
  {
    name: "models",
    level: "must",
    title: "It lists its models within five seconds, or leaves Models out",
    remedy: "answer Models from memory, or leave it out and have the configuration list them",
    check: async (bench) => {
      const { models } = await bench.session();
      if (isUnimplemented(models)) return kept("the configuration has to list them");
      if (models.kind !== "reply") return broken(`it ${models.words}`);
      return kept(
        models.value.models
          .map(({ id }) => id)
          .join(", ")
          .slice(0, 100),
      );
    },
  },
  {
    name: "model-names",
    level: "must",
    title: "Its models, 200 at most, have names of their own of up to 200 characters",
    remedy: "give each model an `id`, as the service knows it",
    check: async (bench) => {
      const { models } = await bench.session();
      if (models.kind !== "reply") return notApplicable("it lists none");
      const ids = models.value.models.map(({ id }) => id);
      return toVerdict([
        ...(ids.length > 200 ? [`it lists ${ids.length}`] : []),
        ...ids
          .filter((id) => id === "" || id.length > 200)
          .map((id) => `a name has ${id.length} characters`),
        ...ids
          .filter((id, index) => ids.indexOf(id) !== index)
          .map((id) => `"${id}" is there twice`),
      ]);
    },
  },
  {
    name: "model-facts",
    level: "should",
    title: "What it says of its models makes sense",
    remedy: "prices are dollars for a million tokens; input is one of image, pdf, audio",
    check: async (bench) => {
      const { models } = await bench.session();
      if (models.kind !== "reply") return notApplicable("it lists none");
      return toVerdict(
        models.value.models.flatMap(({ id, input, maxTokens, contextWindow, ...costs }) => {
          const prices = [
            costs.inputCost,
            costs.outputCost,
            costs.cachedInputCost,
            costs.cacheWriteCost,
          ];
          return [
            ...input
              .filter((each) => !inputs.includes(each))
              .map((each) => `"${id}" takes "${each}"`),
            ...(contextWindow > 0 && maxTokens > contextWindow
              ? [`"${id}" writes more than it reads`]
              : []),
            ...(prices.every((price) => price >= 0 && price < 100_000)
              ? []
              : [`"${id}" has an odd price`]),
          ];
        }),
      );
    },
  },
  {
    name: "complete",
    level: "must",
    title: "A model it does not have is answered by one `finish` or one `failure`",
    remedy:
      "send a `failure` with a reason when there is no answer; a gRPC status counts as a broken stream",
    check: async (bench) => judgeAnswer(await ask(bench, await bench.session(), unknownModel)),
  },
  {
    name: "answers",
    level: "must",
    title: "Models named for this test answer with pieces and one end",
    remedy: "send text, tool calls with JSON arguments, then one `finish`; nothing after it",
    check: async (bench) => {
      if (bench.calls.length === 0)
        return notApplicable('name a model with --call MODEL=\'{"text":"hello"}\'');
      const problems: string[] = [];
      for (const { action, args } of bench.calls) {
        const text = typeof args["text"] === "string" ? args["text"] : "Say hello.";
        const verdict = judgeAnswer(await ask(bench, await bench.session(), action, text));
        if (verdict.outcome === "broken") problems.push(`"${action}": ${verdict.why}`);
      }
      return toVerdict(problems);
    },
  },
  {
    name: "parallel-calls",
    level: "must",
    title: "Questions at the same time are all answered",
    remedy: "serve calls side by side",
    check: async (bench) => {
      const session = await bench.session();
      const replies = await Promise.all(
        Array.from({ length: 8 }, () => ask(bench, session, unknownModel)),
      );
      return toVerdict(replies.filter(isSilent).map(({ words }) => `an answer ${words}`));
    },
  },
  {
    name: "cancelled-calls",
    level: "must",
    title: "It goes on when its caller gives up or disappears",
    remedy: "stop the work of a cancelled call, and never the plugin",
    check: async (bench) => {
      const session = await bench.session();
      for (let round = 0; round < 10; round += 1)
        await ask(bench, session, unknownModel, "hello", AbortSignal.timeout(round));
      const { path, requestSerialize } = methods.complete;
      const message = requestSerialize(toRequest(unknownModel, "hello"));
      for (const afterMs of [0, 5, 20])
        await disappearMidCall(session.opened.address, path, message, afterMs);
      const problem = await session.probe();
      const reply = await ask(bench, session, unknownModel);
      return toVerdict([
        ...(problem === undefined ? [] : [`afterwards ${problem}`]),
        ...(isSilent(reply) ? [`afterwards an answer ${reply.words}`] : []),
      ]);
    },
  },
];

function ask(
  bench: ProviderBench,
  { client }: ProviderSession,
  model: string,
  text = "Say hello.",
  signal?: AbortSignal,
): Promise<Reply<readonly CompleteEventKind[]>> {
  return callComplete(client, toRequest(model, text), { timeoutMs: bench.limits.callMs, signal });
}

function toRequest(model: string, text: string): messages.CompleteRequest {
  return create(messages.CompleteRequestSchema, {
    model,
    maxTokens: 32,
    sessionKey: "opentalon-conformance",
    messages: [{ kind: { case: "user", value: { content: text } } }],
  });
}

function isSilent(
  reply: Reply<unknown>,
): reply is Exclude<Reply<unknown>, { kind: "reply" | "status" }> {
  return reply.kind !== "reply" && reply.kind !== "status";
}

function judgeAnswer(reply: Reply<readonly CompleteEventKind[]>): Verdict {
  if (reply.kind !== "reply") return broken(`the answer ${reply.words}`);
  const events = reply.value;
  const end = events.findIndex((event) => event.case === "finish" || event.case === "failure");
  if (end < 0) return broken("the stream ended without a finish or a failure");
  const problems = events.length > end + 1 ? ["events came after the end"] : [];
  for (const event of events) {
    if (event.case === "toolCall" && !isObjectText(event.value.argumentsJson))
      problems.push(`the arguments of the tool call "${event.value.name}" are no JSON object`);
  }
  const last = events[end];
  const words = last?.case === "failure" ? `failure: ${last.value.message.slice(0, 80)}` : "finish";
  return toVerdict(problems, words);
}

function isObjectText(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function askModels(client: Client, timeoutMs: number): Promise<Reply<messages.ModelsResponse>> {
  return callUnary(client, methods.models, create(messages.ModelsRequestSchema), { timeoutMs });
}

function toConnection(client: Client, callMs: number): Connection {
  return {
    probe: async (timeoutMs = callMs) => {
      const reply = await askModels(client, timeoutMs);
      // A service that does not want to be asked without a credential may say so.
      return reply.kind === "reply" || reply.kind === "status"
        ? undefined
        : `Models ${reply.words}`;
    },
    close: () => client.close(),
  };
}
