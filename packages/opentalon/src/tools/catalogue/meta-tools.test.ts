import { describe, expect, it } from "vitest";
import { type Tool, toToolName } from "../../domain/tool.ts";
import { createTool } from "../testing/create-tool.ts";
import { createMetaTools } from "./meta-tools.ts";

const tools: readonly Tool[] = [
  createTool({ plugin: "jira", action: "create_issue", description: "Creates an issue in Jira." }),
  createTool({ plugin: "jira", action: "close_issue", description: "Closes an issue." }),
  createTool({ plugin: "mail", action: "send", description: "Sends a message to a person." }),
  createTool({ plugin: "hr", action: "salaries", description: "Lists what people earn." }),
];

function run(
  action: string,
  args: Readonly<Record<string, string>>,
  allowed = tools.map(toToolName),
  room = 10,
): Record<string, unknown> {
  const runMetaTool = createMetaTools({ tools: () => tools, room: () => room });
  const { content } = runMetaTool({
    callId: "1",
    action,
    arguments: { ...args, allowed_tools: JSON.stringify(allowed) },
    signal: new AbortController().signal,
    timeoutMs: 1_000,
  });
  return JSON.parse(content) as Record<string, unknown>;
}

const found = (query: string, allowed?: string[]): readonly string[] =>
  (run("find_tools", { query }, allowed)["tools"] as { name: string }[]).map(({ name }) => name);

describe("loading", () => {
  it("says what was loaded and what there is not", () => {
    expect(run("load_tools", { names: "jira__create_issue, jira__delete_issue" })).toMatchObject({
      loaded: ["jira__create_issue"],
      failed: [{ name: "jira__delete_issue", reason: "no such tool" }],
    });
  });

  it("knows only what the person may use", () => {
    const names = "hr__salaries,mail__send";
    expect(run("load_tools", { names }, ["mail__send"])).toMatchObject({
      loaded: ["mail__send"],
      failed: [{ name: "hr__salaries", reason: "no such tool" }],
    });
    expect(found("what people earn", ["mail__send"])).toEqual([]);
  });

  it("loads no more than fit", () => {
    const names = tools.map(toToolName).join(" ");
    const { loaded, failed } = run("load_tools", { names }, undefined, 3);
    expect(loaded).toHaveLength(3);
    expect(failed).toEqual([
      { name: "hr__salaries", reason: "at most 3 fit at a time; load it when you need it" },
    ]);
  });
});

describe("searching", () => {
  it("puts first what shares most words, in the name above all", () => {
    expect(found("create an issue")).toEqual(["jira__create_issue", "jira__close_issue"]);
    expect(found("message")).toEqual(["mail__send"]);
    expect(found("issues")).toHaveLength(2);
  });

  it("finds nothing for nothing", () => {
    expect(found("")).toEqual([]);
    expect(found("zebra")).toEqual([]);
  });
});
