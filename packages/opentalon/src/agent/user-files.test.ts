import { describe, expect, it } from "vitest";
import type { ModelRequest } from "../domain/model.ts";
import { createSampleFile, createTextFile } from "../domain/testing/sample-files.ts";
import { estimateTokens } from "./fit-history.ts";
import { runAgent, type AgentPorts, type AgentRequest, type GuardedPrompt } from "./run-agent.ts";

function createWorld(guard: (content: string) => GuardedPrompt): {
  readonly asked: ModelRequest[];
  readonly ports: AgentPorts;
} {
  const asked: ModelRequest[] = [];
  const usage = { inputTokens: 1, outputTokens: 1 };
  const reply = { text: "seen", toolCalls: [], finishReason: "stop", usage, model: "p/m" } as const;
  return {
    asked,
    ports: {
      callModel: (request) => (asked.push(request), Promise.resolve(reply)),
      toolsAt: () => [],
      callTool: () => Promise.reject(new Error("no tool was offered")),
      guardPrompt: (content) => Promise.resolve(guard(content)),
      isReadOnly: () => false,
      wrapToolResult: (content) => content,
      onReply: () => undefined,
      journal: {
        find: () => undefined,
        begin: () => Promise.resolve(),
        record: () => Promise.resolve(),
      },
    },
  };
}

const request: AgentRequest = {
  system: "be kind",
  history: [],
  userText: "",
  sessionKey: "s",
  maxRounds: 3,
  recordFinalReply: false,
};
const png = createSampleFile("png");
const notes = createTextFile("my number is 12345");

describe("what a person attaches", () => {
  it("reaches the model and the conversation with the message, also without words", async () => {
    const { asked, ports } = createWorld((content) => ({ kind: "continue", content }));
    const run = await runAgent({ ...request, userFiles: [png] }, ports);
    const question = { role: "user", content: "", files: [png] };
    expect(run.outcome).toEqual({ kind: "answered", text: "seen" });
    expect(asked[0]?.messages).toEqual([question]);
    expect(run.messages[0]).toEqual(question);
    expect((await runAgent({ ...request, userFiles: [] }, ports)).messages[0]).toEqual({
      role: "user",
      content: "",
    });
  });

  it("passes the guards where it is text, and they may rewrite or refuse it", async () => {
    const hide = createWorld((content) => {
      return { kind: "continue", content: content.replaceAll(/\d/g, "*") };
    });
    await runAgent({ ...request, userText: "hi", userFiles: [png, notes] }, hide.ports);
    const hidden = createTextFile("my number is *****");
    expect(hide.asked[0]?.messages).toEqual([
      { role: "user", content: "hi", files: [png, hidden] },
    ]);

    const refuse = createWorld((content) =>
      content.includes("12345")
        ? { kind: "answer", content: "no numbers", metadata: {} }
        : { kind: "continue", content },
    );
    const run = await runAgent({ ...request, userFiles: [notes] }, refuse.ports);
    expect(run.outcome).toMatchObject({ kind: "refused", content: "no numbers" });
    expect(refuse.asked).toEqual([]);
  });

  it("counts in the estimate by its kind, not by its bytes", () => {
    const withFile = (...files: Parameters<typeof createSampleFile>): number =>
      estimateTokens({ role: "user", content: "", files: [createSampleFile(...files)] });
    const plain = estimateTokens({ role: "user", content: "" });
    expect(withFile("png", { size: 4_000_000 })).toBe(withFile("png"));
    expect(withFile("png") - plain).toBeGreaterThan(1_500);
    expect(withFile("pdf", { size: 600_000 }) - plain).toBeGreaterThan(10_000);
    expect(withFile("pdf", { size: 20_000_000 }) - plain).toBeLessThan(110_000);
    const forgotten = { name: "a", mimeType: "image/png", size: 4_000_000 };
    const mentioned = estimateTokens({ role: "user", content: "", files: [forgotten] });
    expect(mentioned - plain).toBeLessThan(100);
  });
});
