import { describe, expect, it } from "vitest";
import { createSilentLog } from "../base/create-log.ts";
import type { StepJournal, StepRecord } from "../domain/step-journal.ts";
import type { InvokeStep } from "./parse-preparer-result.ts";
import { runPreparers, type Preparer } from "./run-preparers.ts";

const entry = (plugin: string, more: Partial<Preparer> = {}): Preparer => ({
  plugin,
  action: "prepare",
  argumentName: "text",
  failOpen: false,
  isTrusted: () => false,
  ...more,
});

type Answer = { content: string; isError: boolean };

function ports(
  answers: Record<string, (step: InvokeStep) => Answer | string>,
  steps = new Map<string, StepRecord>(),
) {
  const journal: StepJournal = {
    find: (step) => steps.get(step),
    begin: (step) => Promise.resolve(void steps.set(step, { state: "started" })),
    record: (step, value) => Promise.resolve(void steps.set(step, { state: "recorded", value })),
  };
  const calls: { step: InvokeStep; callId: string }[] = [];
  return {
    calls,
    log: createSilentLog(),
    isReadOnly: () => false,
    journal,
    callAction: (step: InvokeStep, callId: string): Promise<Answer> => {
      calls.push({ step, callId });
      const made = answers[step.plugin]?.(step) ?? { content: "unknown action", isError: true };
      return Promise.resolve(typeof made === "string" ? { content: made, isError: false } : made);
    },
  };
}

describe("preparers", () => {
  it("hand the text on from one to the next", async () => {
    const given = ports({
      a: (step) => `${step.arguments["text"]}1`,
      b: (step) => `{"message":"${step.arguments["text"]}2"}`,
    });
    expect(await runPreparers([entry("a"), entry("b")], "x", given)).toEqual({
      kind: "continue",
      content: "x12",
    });
    expect(given.calls.map((call) => call.callId)).toEqual([
      "preparer-a-prepare",
      "preparer-b-prepare",
    ]);
  });

  it("end the turn with the hook's words when it says so", async () => {
    const given = ports({ a: () => `{"send_to_llm":false,"message":"no"}`, b: () => "never" });
    expect(await runPreparers([entry("a"), entry("b")], "x", given)).toEqual({
      kind: "answer",
      content: "no",
      metadata: {},
    });
    expect(given.calls).toHaveLength(1);
  });

  it("refuse when a hook fails, unless it may fail open", async () => {
    const failing = () => ({ content: "down", isError: true });
    expect(await runPreparers([entry("a")], "x", ports({ a: failing }))).toMatchObject({
      kind: "answer",
      metadata: { type: "error", error_code: "guard_blocked" },
    });
    expect(
      await runPreparers([entry("a", { failOpen: true })], "x", ports({ a: failing })),
    ).toEqual({
      kind: "continue",
      content: "x",
    });
  });

  it("start other actions only for a trusted hook, with the previous result handed on", async () => {
    const asking = () =>
      `{"send_to_llm":false,"invoke":[{"plugin":"one","action":"do"},{"plugin":"two","action":"do","args":{"k":"v","n":1}}]}`;
    const answers = {
      a: asking,
      one: () => "first",
      two: (step: InvokeStep) => JSON.stringify(step.arguments),
    };
    expect(await runPreparers([entry("a")], "x", ports(answers))).toEqual({
      kind: "continue",
      content: "x",
    });
    expect(
      await runPreparers([entry("a", { isTrusted: () => true })], "x", ports(answers)),
    ).toEqual({
      kind: "answer",
      content: `{"k":"v","previous_result":"first"}`,
      metadata: { type: "system", action: "do" },
    });
  });

  it("never invoke twice what was recorded or may have taken effect before a crash", async () => {
    const asking = () =>
      `{"send_to_llm":false,"invoke":[{"plugin":"pay","action":"send"},{"plugin":"log","action":"add"}]}`;
    const steps = new Map<string, StepRecord>([
      ["invoke-1-pay-send", { state: "recorded", value: { content: "paid", isError: false } }],
      ["invoke-2-log-add", { state: "started" }],
    ]);
    const given = ports({ a: asking, pay: () => "paid twice", log: () => "logged" }, steps);
    const outcome = await runPreparers([entry("a", { isTrusted: () => true })], "x", given);
    expect(given.calls.map(({ step }) => step.plugin)).toEqual(["a"]);
    expect(outcome).toMatchObject({
      kind: "answer",
      content: expect.stringContaining("outcome of this call is unknown") as string,
    });
  });

  it("take JSON that is no verdict as plain text", async () => {
    const text = `{"send_to_llm":true}`;
    expect(await runPreparers([entry("a")], "x", ports({ a: () => text }))).toEqual({
      kind: "continue",
      content: text,
    });
  });
});
