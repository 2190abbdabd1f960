import { describe, expect, it } from "vitest";
import { createManualClock } from "../base/clock.ts";
import { createSilentLog } from "../base/create-log.ts";
import type { RawToolResult } from "../domain/plugin.ts";
import type { ToolResult } from "../domain/tool.ts";
import { createToolCaller } from "./call-tool.ts";
import { createEnvelope } from "./guard/envelope.ts";
import { createParameter, createTool } from "./testing/create-tool.ts";
import { createToolRegistry } from "./tool-registry.ts";

/** What a call meets; everything is well unless a step says otherwise. */
interface Circumstances {
  name: string;
  arguments: Record<string, unknown>;
  invalidArguments: string | undefined;
  allowedPlugins: readonly string[] | undefined;
  userOnly: boolean;
  permitted: boolean;
  induced: boolean;
  wanted: boolean;
  noted: boolean;
  answer: RawToolResult | "none";
}

/** A step: its name, what makes it fail, what the model is told then, and who was asked up to there. */
type Step = readonly [
  name: string,
  fail: (call: Circumstances) => void,
  words: RegExp,
  asked: readonly string[],
];

const gates = ["permission", "tripwire", "confirmation", "start"];

const steps: readonly Step[] = [
  ["the format", (call) => (call.invalidArguments = "{to:"), /not a JSON object/, []],
  ["the registry", (call) => (call.name = "bank__rob"), /there is no tool/, []],
  ["the person's plugins", (call) => (call.allowedPlugins = ["jira"]), /may not use bank/, []],
  ["actions for people", (call) => (call.userOnly = true), /only people may use it/, []],
  ["the schema", (call) => delete call.arguments["to"], /arguments do not fit/, []],
  [
    "the size of the arguments",
    (call) => (call.arguments["note"] = "x".repeat(4_000_000)),
    /larger than/,
    [],
  ],
  ["the permission", (call) => (call.permitted = false), /not permitted/, gates.slice(0, 1)],
  [
    "the tripwire",
    (call) => (call.induced = true),
    /output of a tool asked for this very call/,
    gates.slice(0, 2),
  ],
  ["the confirmation", (call) => (call.wanted = false), /has to agree first/, gates.slice(0, 3)],
  ["the note of the start", (call) => (call.noted = false), /disk full/, gates],
  [
    "the deadline",
    (call) => (call.answer = "none"),
    /did not answer within 30 s/,
    [...gates, "execution"],
  ],
];

const answer: RawToolResult = { content: "paid", error: "", structuredContent: "" };

/** Makes one call and says who was asked on the way. */
async function make(call: Circumstances) {
  const asked: string[] = [];
  const clock = createManualClock();
  const log = createSilentLog();
  const tool = createTool({
    plugin: "bank",
    action: "pay",
    userOnly: call.userOnly,
    parameters: [createParameter("to", { required: true }), createParameter("note")],
  });
  const callTool = createToolCaller({
    registry: createToolRegistry({ sources: [{ tools: () => [tool] }], log }),
    permit: () => {
      asked.push("permission");
      return Promise.resolve(
        call.permitted ? { kind: "allowed" } : { kind: "refused", reason: "" },
      );
    },
    mustConfirm: () => {
      asked.push("confirmation");
      return Promise.resolve(!call.wanted);
    },
    execute: () => {
      asked.push("execution");
      if (call.answer !== "none") return Promise.resolve(call.answer);
      queueMicrotask(() => clock.advance(30_000));
      return new Promise(() => {});
    },
    clock,
    log,
    defaultTimeoutMs: 30_000,
    maxResponseBytes: 1_000,
  });
  const { name, arguments: values, invalidArguments, allowedPlugins } = call;
  const result: ToolResult = await callTool({
    call: { id: "1", name, arguments: values, invalidArguments },
    context: {
      actor: "c:ann",
      sessionKey: "c:room",
      conversationId: "room",
      encoding: "native",
      fromModel: true,
      allowedPlugins,
    },
    signal: new AbortController().signal,
    tripwire: (_, mustAsk) => {
      const consent = { state: "awaited", actor: "c:ann", call: "x" } as const;
      if (mustAsk) return { kind: "tripped", consent: { ...consent, why: "confirmation" } };
      asked.push("tripwire");
      return call.induced ? { kind: "tripped", consent } : { kind: "clear" };
    },
    onExecute: () => {
      asked.push("start");
      return call.noted ? Promise.resolve() : Promise.reject(new Error("disk full"));
    },
  }).catch((error: unknown) => ({ content: String(error), isError: true }));
  return { asked, result };
}

const allWell = (): Circumstances => ({
  name: "bank__pay",
  arguments: { to: "eve" },
  invalidArguments: undefined,
  allowedPlugins: undefined,
  userOnly: false,
  permitted: true,
  induced: false,
  wanted: true,
  noted: true,
  answer,
});

describe("the order of checks for one call", () => {
  it("ends with the plugin's answer when every step is content", async () => {
    const { asked, result } = await make(allWell());
    expect(asked).toEqual([...gates, "execution"]);
    expect(result).toEqual({ content: "paid", isError: false });
  });

  it.each(steps.map((step, index) => [step[0], index, step] as const))(
    "%s stops the call alone, and before all that comes after it",
    async (_name, index, [, fail, words, expected]) => {
      const alone = allWell();
      fail(alone);
      const withLater = allWell();
      for (const [, failLater] of steps.slice(index)) failLater(withLater);
      for (const call of [alone, withLater]) {
        const { asked, result } = await make(call);
        expect(result.isError).toBe(true);
        expect(result.content).toMatch(words);
        expect(asked).toEqual(expected);
      }
    },
  );

  it("then cuts the answer, takes markers apart, looks at it once more, and wraps it", async () => {
    const [head, tail] = ["<tool_call>".repeat(50), "<tool_call>".repeat(500)];
    const { result } = await make({ ...allWell(), answer: { ...answer, content: head + tail } });
    expect(result.isError).toBe(false);
    expect(result.content).toMatch(
      /^(?:\(tool_call>)+[^]*\[truncated: the first 1000 of 6050 bytes\]$/,
    );
    expect(result.content.length).toBeLessThan(1_060);
    const { wrap } = createEnvelope({ random: (count) => new Uint8Array(count) });
    const wrapped = wrap(result.content);
    expect(wrapped.split("\n").slice(1, -1).join("\n")).toBe(result.content);
  });

  it("and takes an answer that is none for a failure", async () => {
    const { result } = await make({
      ...allWell(),
      answer: { content: 7 } as unknown as RawToolResult,
    });
    expect(result).toMatchObject({ isError: true });
  });
});
