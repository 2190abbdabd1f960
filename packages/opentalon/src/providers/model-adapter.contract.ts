import { afterEach, describe, expect, it } from "vitest";
import { ProviderError } from "../base/errors.ts";
import { createSecret } from "../base/secret.ts";
import type { Model, ModelRequest } from "../domain/model.ts";
import type { ModelAdapter, ModelAdapterCall } from "./model-adapter.ts";

export interface ModelAdapterFixture extends AsyncDisposable {
  readonly adapter: ModelAdapter;
  readonly model: Model;
}

export function createModel(change: Partial<Model> = {}): Model {
  return {
    name: "test/test-model",
    provider: "test",
    id: "test-model",
    nativeTools: true,
    input: ["text"],
    contextWindow: 0,
    maxTokens: 0,
    cost: { input: 0, output: 0 },
    ...change,
  };
}

export function createRequest(change: Partial<ModelRequest> = {}): ModelRequest {
  return {
    system: "You are a test.",
    messages: [{ role: "user", content: "how are you today" }],
    tools: [],
    sessionKey: "console:main",
    ...change,
  };
}

/** What every model adapter promises, whatever it speaks. `create` gives one that answers in several words. */
export function describeModelAdapter(
  name: string,
  create: () => Promise<ModelAdapterFixture>,
): void {
  describe(`the model adapter contract: ${name}`, () => {
    let fixture: ModelAdapterFixture | undefined;
    const start = async (
      change: Partial<ModelAdapterCall> = {},
    ): Promise<{ call: ModelAdapterCall; adapter: ModelAdapter; deltas: string[] }> => {
      fixture = await create();
      const deltas: string[] = [];
      const call: ModelAdapterCall = {
        model: fixture.model,
        request: createRequest(),
        credential: createSecret("sk-contract-0123456789"),
        signal: new AbortController().signal,
        onText: (delta) => deltas.push(delta),
        ...change,
      };
      return { call, adapter: fixture.adapter, deltas };
    };
    afterEach(async () => {
      await fixture?.[Symbol.asyncDispose]();
      fixture = undefined;
    });

    it("streams exactly the text it replies with", async () => {
      const { adapter, call, deltas } = await start();
      const reply = await adapter.stream(call);
      expect(reply.text).not.toBe("");
      expect(deltas.length).toBeGreaterThan(1);
      expect(deltas.join("")).toBe(reply.text);
    });

    it("names the model and finishes with stop and whole numbers of tokens", async () => {
      const { adapter, call } = await start();
      const reply = await adapter.stream(call);
      expect(reply).toMatchObject({ model: call.model.name, finishReason: "stop", toolCalls: [] });
      expect(Number.isInteger(reply.usage.inputTokens)).toBe(true);
      expect(Number.isInteger(reply.usage.outputTokens)).toBe(true);
    });

    it("gives a reply that survives a journal", async () => {
      const { adapter, call } = await start();
      const reply = await adapter.stream(call);
      const json = JSON.stringify(reply);
      expect(JSON.parse(json)).toEqual(reply);
    });

    it("rejects with cancelled when the signal was aborted before", async () => {
      const { adapter, call, deltas } = await start({ signal: AbortSignal.abort() });
      const error: unknown = await adapter.stream(call).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(ProviderError);
      expect(error).toMatchObject({ reason: "cancelled", model: call.model.name });
      expect(deltas).toEqual([]);
    });

    it("rejects with cancelled when the signal aborts inside the answer, and then stays silent", async () => {
      const abort = new AbortController();
      let pieces = 0;
      const { adapter, call } = await start({
        signal: abort.signal,
        onText: () => {
          pieces += 1;
          abort.abort();
        },
      });
      await expect(adapter.stream(call)).rejects.toMatchObject({ reason: "cancelled" });
      const atEnd = pieces;
      await new Promise((resolve) => setImmediate(resolve));
      expect(pieces).toBe(atEnd);
      expect(pieces).toBe(1);
    });

    it("answers calls made side by side, each with its own text", async () => {
      const { adapter, call } = await start();
      const questions = ["apples", "pears", "plums"];
      const replies = await Promise.all(
        questions.map((content) =>
          adapter.stream({
            ...call,
            request: createRequest({ messages: [{ role: "user", content }] }),
            onText: () => undefined,
          }),
        ),
      );
      for (const [index, question] of questions.entries())
        expect(replies[index]?.text).toContain(question);
    });
  });
}
