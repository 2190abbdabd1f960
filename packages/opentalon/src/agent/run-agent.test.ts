import { describe, expect, it } from "vitest";
import { BudgetError, ProviderError } from "../base/errors.ts";
import type { ModelReply, ModelRequest } from "../domain/model.ts";
import type { ToolCall, ToolResult } from "../domain/tool.ts";
import type { StepRecord } from "../domain/step-journal.ts";
import { runAgent, type AgentPorts } from "./run-agent.ts";

const call = (id: string, name = "notes__add"): ToolCall => ({ id, name, arguments: { text: id } });
const reply = (text: string, ...toolCalls: ToolCall[]): ModelReply => ({
  text,
  toolCalls,
  finishReason: toolCalls.length > 0 ? "tool-calls" : "stop",
  usage: { inputTokens: 1, outputTokens: 1 },
  model: "p/m",
});
const request = {
  system: "be kind",
  history: [],
  userText: "go",
  sessionKey: "s",
  maxRounds: 20,
  recordFinalReply: false,
};

/** A world with scripted model replies and a journal that survives from one run to the next. */
function world(script: (ModelReply | Error)[], journal = new Map<string, StepRecord>()) {
  const asked: ModelRequest[] = [];
  const executed: string[] = [];
  const order: string[] = [];
  const ports: AgentPorts = {
    toolsAt: () => [],
    callModel: (modelRequest) => {
      asked.push(modelRequest);
      order.push("model");
      const next = script.shift();
      if (next === undefined) return Promise.reject(new Error("script ended"));
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
    },
    callTool: async ({ id }, _reply, onExecute): Promise<ToolResult> => {
      await onExecute();
      executed.push(id);
      return { content: `did ${id}`, isError: false };
    },
    guardPrompt: (content) => Promise.resolve({ kind: "continue", content }),
    isReadOnly: ({ name }) => name === "notes__read",
    wrapToolResult: (content) => `<<${content}>>`,
    onReply: () => undefined,
    journal: {
      find: (step) => journal.get(step),
      begin: (step) =>
        Promise.resolve(
          void (order.push(`begin ${step}`), journal.set(step, { state: "started" })),
        ),
      record: (step, value) =>
        Promise.resolve(
          void (order.push(`record ${step}`), journal.set(step, { state: "recorded", value })),
        ),
    },
  };
  return { asked, executed, order, journal, ports };
}

describe("the agent loop", () => {
  it("asks again with the tool's result in its envelope, and keeps the bare text in the transcript", async () => {
    const { asked, ports } = world([reply("", call("1")), reply("all done")]);
    const run = await runAgent(request, ports);
    expect(run.outcome).toEqual({ kind: "answered", text: "all done" });
    expect(asked[1]?.messages.at(-1)).toMatchObject({
      role: "tool",
      callId: "1",
      content: "<<did 1>>",
    });
    expect(run.messages.map(({ role }) => role)).toEqual([
      "user",
      "assistant",
      "tool",
      "assistant",
    ]);
    expect(run.messages[2]).toMatchObject({ content: "did 1" });
  });

  it("records each step before the next one starts", async () => {
    const { order, ports } = world([reply("", call("1")), reply("ok")]);
    await runAgent(request, ports);
    expect(order).toEqual([
      "model",
      "record model:1",
      "begin tool:1:1",
      "record tool:1:1",
      "model",
    ]);
  });

  it("goes on from the journal: no model reply is bought again, no recorded call runs again", async () => {
    const first = world([reply("", call("1"), call("2")), new Error("killed")]);
    await expect(runAgent(request, first.ports)).rejects.toThrow("killed");
    const second = world([reply("ok")], first.journal);
    const run = await runAgent(request, second.ports);
    expect(second.asked).toHaveLength(1);
    expect(second.executed).toEqual([]);
    expect(run.messages.filter(({ role }) => role === "tool")).toMatchObject([
      { content: "did 1" },
      { content: "did 2" },
    ]);
  });

  it("runs a call that had started again only if it is read-only", async () => {
    const journal = new Map<string, StepRecord>([
      ["model:1", { state: "recorded", value: reply("", call("w"), call("r", "notes__read")) }],
      ["tool:1:1", { state: "started" }],
      ["tool:1:2", { state: "started" }],
    ]);
    const { executed, ports } = world([reply("ok")], journal);
    const run = await runAgent(request, ports);
    expect(executed).toEqual(["r"]);
    expect(run.messages[2]).toMatchObject({
      isError: true,
      content: expect.stringContaining("outcome") as string,
    });
  });

  it("runs the calls of one reply side by side and keeps their order", async () => {
    const { ports } = world([reply("", call("slow"), call("fast")), reply("ok")]);
    const gate = Promise.withResolvers<void>();
    const run = await runAgent(request, {
      ...ports,
      callTool: async ({ id }) => {
        if (id === "slow") await gate.promise;
        else gate.resolve();
        return { content: id, isError: false };
      },
    });
    expect(run.messages.filter(({ role }) => role === "tool")).toMatchObject([
      { content: "slow" },
      { content: "fast" },
    ]);
  });

  it("stops after the allowed rounds", async () => {
    const { asked, ports } = world(
      Array.from({ length: 30 }, (_, n) => reply("", call(String(n)))),
    );
    const run = await runAgent({ ...request, maxRounds: 20 }, ports);
    expect(run.outcome).toEqual({ kind: "too-many-rounds", rounds: 20 });
    expect(asked).toHaveLength(20);
  });

  it("reports what was done when no model can go on, and lets a cancellation through", async () => {
    const failed = world([
      reply("", call("1")),
      new ProviderError("down", { reason: "unreachable", model: "p/m" }),
    ]);
    const run = await runAgent(request, failed.ports);
    expect(run.outcome.kind).toBe("failed");
    expect(run.messages).toHaveLength(3);
    const unpaid = world([reply("", call("1")), new BudgetError("BUDGET_USED_UP", "used up")]);
    expect(await runAgent(request, unpaid.ports)).toMatchObject({
      outcome: { kind: "failed", error: { code: "BUDGET_USED_UP" } },
      messages: run.messages,
    });
    const cancelled = world([new ProviderError("stop", { reason: "cancelled", model: "p/m" })]);
    await expect(runAgent(request, cancelled.ports)).rejects.toThrow("stop");
  });

  it("lets a guard change what the model is told, for good, or end the turn", async () => {
    const changed = world([reply("", call("1")), reply("ok")]);
    const masked = await runAgent(request, {
      ...changed.ports,
      guardPrompt: (content) =>
        Promise.resolve({ kind: "continue", content: content.replace(/did|go/, "***") }),
    });
    const told = changed.asked.map(({ messages }) => messages.map(({ content }) => content));
    expect(told).toEqual([["***"], ["***", "", "<<*** 1>>"]]);
    expect(masked.messages.map(({ content }) => content)).toEqual(["***", "", "*** 1", "ok"]);

    const ended = world([reply("never")]);
    const run = await runAgent(request, {
      ...ended.ports,
      guardPrompt: () => Promise.resolve({ kind: "answer", content: "no", metadata: {} }),
    });
    expect(run.outcome).toEqual({ kind: "refused", content: "no", metadata: {} });
    expect(ended.asked).toEqual([]);
  });

  it("shows a guard every result of a round, and withholds them all from the history when it refuses", async () => {
    const { ports } = world([reply("", call("1"), call("2")), reply("never")]);
    const seen: string[] = [];
    const run = await runAgent(request, {
      ...ports,
      guardPrompt: (content) => {
        seen.push(content);
        if (content !== "did 2") return Promise.resolve({ kind: "continue", content });
        return Promise.resolve({ kind: "answer", content: "stopped", metadata: {} });
      },
    });
    expect(seen).toEqual(["go", "did 1", "did 2"]);
    expect(run.outcome.kind).toBe("refused");
    const results = run.messages.filter(({ role }) => role === "tool");
    expect(results.map(({ content }) => content)).toEqual([
      "error: withheld by a guard",
      "error: withheld by a guard",
    ]);
  });

  it("has guards look again after a crash, so that what they changed does not come back", async () => {
    const mask = (content: string) =>
      Promise.resolve({ kind: "continue", content: content.replace("go", "***") } as const);
    const first = world([reply("", call("1")), new Error("killed")]);
    await expect(runAgent(request, { ...first.ports, guardPrompt: mask })).rejects.toThrow(
      "killed",
    );
    const second = world([reply("ok")], first.journal);
    await runAgent(request, { ...second.ports, guardPrompt: mask });
    expect(second.asked[0]?.messages[0]?.content).toBe("***");
  });

  it("tells whoever runs a call what the model had been told, and keeps whose word it needs", async () => {
    const { ports } = world([reply("", call("1")), reply("", call("2")), reply("ok")]);
    const consent = { state: "awaited", actor: "c:ann", call: "x" } as const;
    const heard: string[][] = [];
    const run = await runAgent(request, {
      ...ports,
      callTool: ({ id }, _reply, _onExecute, messages) => {
        heard.push(messages.map(({ role }) => role));
        const asks = id === "2" ? { consent } : {};
        return Promise.resolve({ content: id, isError: false, ...asks });
      },
    });
    expect(heard).toEqual([
      ["user", "assistant"],
      ["user", "assistant", "tool", "assistant"],
    ]);
    expect(run.messages[2]).not.toHaveProperty("consent");
    expect(run.messages[4]).toMatchObject({ role: "tool", consent });
  });

  it("begins no other call once one could not be recorded, and waits for those under way", async () => {
    const { ports } = world([reply("", call("fast"), call("slow"))]);
    const gate = Promise.withResolvers<void>();
    const executed: string[] = [];
    const running = runAgent(request, {
      ...ports,
      callTool: async ({ id }, _reply, onExecute) => {
        if (id === "slow") await gate.promise;
        await onExecute();
        executed.push(id);
        return { content: id, isError: false };
      },
      journal: {
        ...ports.journal,
        record: (step) =>
          step === "model:1" ? Promise.resolve() : Promise.reject(new Error("disk full")),
      },
    });
    running.catch(() => gate.resolve());
    queueMicrotask(() => setImmediate(gate.resolve));
    await expect(running).rejects.toThrow("disk full");
    expect(executed).toEqual(["fast"]);
  });

  it("tells an empty answer apart", async () => {
    expect((await runAgent(request, world([reply("  ")]).ports)).outcome).toEqual({
      kind: "empty",
    });
  });
});
