import { describe, expect, it } from "vitest";
import type { AnswerRecord } from "../domain/answer.ts";
import type { InboundMessage } from "../domain/message.ts";
import type { Model } from "../domain/model.ts";
import { runCommand, type CommandPorts } from "./run-command.ts";

const model = (name: string): Model => ({
  name,
  provider: "p",
  id: name,
  nativeTools: true,
  input: ["text"],
  contextWindow: 0,
  maxTokens: 0,
  cost: { input: 0, output: 0 },
});
const small = model("p/small");
const big = model("p/big");
const ports: CommandPorts = {
  models: () => [small, big],
  resolveModel: (name) => [small, big].find((known) => known.name === name),
  currentModel: ({ pinnedModel }) => (pinnedModel === big.name ? big : small),
  judgeByChoice: () => [],
  showConfig: () => "models: {}",
  isOperator: ({ channelKind }) => channelKind === "console",
};
const answered: AnswerRecord = {
  id: "t",
  model: "p/small",
  task: "chat",
  features: "",
  tried: [],
  cause: "weight",
  reason: "its weight of 90 is the largest",
  chosen: "p/small",
  inputTokens: 12,
  outputTokens: 5,
  cost: 0.00123,
  messageCount: 2,
  isJudged: false,
};
const run = (
  content: string,
  pinnedModel = "",
  channelKind = "console",
  lastAnswer?: AnswerRecord,
) =>
  runCommand(
    { content, channelKind } as InboundMessage,
    { key: "k", messages: [], pinnedModel, lastAnswer },
    ports,
  );

describe("slash commands", () => {
  it("leave ordinary text alone, also paths", () => {
    expect(run("hello /clear")).toBeUndefined();
    expect(run("/usr/bin is where?")).toBeUndefined();
  });

  it("list themselves, also for somebody who begins", () => {
    expect(run("/help")?.text).toMatch(/\/clear, \/new[^]*\/model[^]*\/show config/);
    expect(run("/start")?.text).toBe(run("/help")?.text);
  });

  it("clear the session under both names", () => {
    expect(run("/clear")?.clearsSession).toBe(true);
    expect(run(" /NEW ")?.clearsSession).toBe(true);
  });

  it("show, choose and release the model", () => {
    expect(run("/model")?.text).toContain("* p/small\n  p/big");
    expect(run("/model", "p/big")?.text).toMatch(/\* p\/big[^]*chosen by you/);
    // A model that left the configuration is chosen by nobody any more.
    expect(run("/model", "p/gone")?.text).toMatch(/\* p\/small[^]*chosen by routing/);
    expect(run("/model p/big")).toMatchObject({ pinnedModel: "p/big" });
    expect(run("/model nope")).toMatchObject({
      pinnedModel: undefined,
      text: expect.stringContaining("nope") as string,
    });
    expect(run("/model auto", "p/big")).toMatchObject({ pinnedModel: "" });
  });

  it("read the budgets where any are kept", async () => {
    expect(run("/budget")).toMatchObject({ text: "No budget is set.", report: undefined });
    const message = { content: "/budget" } as InboundMessage;
    const session = { key: "k", messages: [], pinnedModel: "", lastAnswer: undefined };
    const describeBudget = () => Promise.resolve("$1 of $2");
    const outcome = runCommand(message, session, { ...ports, describeBudget });
    expect(await outcome?.report?.()).toBe("$1 of $2");
  });

  it("show the configuration to the operator only", () => {
    expect(run("/show config")?.text).toBe("models: {}");
    expect(run("/show config", "", "webhook")?.text).toMatch(/only the operator/i);
  });

  it("tell in one line which model answered, why, and what it took", () => {
    const why = (more: Partial<AnswerRecord>) =>
      run("/why", "", "console", { ...answered, ...more });
    expect(run("/why")?.text).toBe("There is no answer yet, or no model gave the last one.");
    expect(why({ unanswered: "x" })?.text).toBe(
      "Nobody could answer. p/small came first: its weight of 90 is the largest.",
    );
    expect(why({ unanswered: "x", chosen: "", reason: "" })?.text).toBe("No model was asked.");
    expect(
      why({ tried: ["p/x"], cause: "escalation", reason: "the answer of p/x was rejected" })?.text,
    ).toMatch(/^p\/small answered: the answer of p\/x was rejected\. 12 tokens/);
    expect(why({})?.text).toBe(
      "p/small answered: its weight of 90 is the largest. 12 tokens read, 5 written, $0.0012.",
    );
    expect(why({ model: "p/big", tried: ["p/x"], cost: 0 })?.text).toBe(
      "p/big answered, because p/small could not; that one came first: its weight of 90 is the largest. Rejected before: p/x. 12 tokens read, 5 written.",
    );
  });

  it("ask again or judge only where there is an answer", () => {
    expect(run("/retry")).toMatchObject({ wants: undefined });
    expect(run("/good")).toMatchObject({ wants: undefined });
    expect(run("/retry", "", "console", answered)).toMatchObject({ wants: "regenerate" });
    const withWords = run("/retry in French", "", "console", answered);
    expect(withWords).toMatchObject({ wants: undefined });
    expect(withWords?.text).toContain("/retry takes no words");
    expect(run("/good", "", "console", answered)).toMatchObject({ wants: "accepted" });
    const judged = run("/good", "", "console", { ...answered, isJudged: true });
    expect(judged).toMatchObject({
      wants: undefined,
      text: expect.stringContaining("already") as string,
    });
  });

  it("answer an unknown command with the way to the list", () =>
    expect(run("/foo")?.text).toContain("/help"));
});
