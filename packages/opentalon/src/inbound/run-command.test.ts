import { describe, expect, it } from "vitest";
import type { InboundMessage } from "../domain/message.ts";
import type { Model } from "../domain/model.ts";
import { runCommand, type CommandPorts } from "./run-command.ts";

const model = (name: string): Model => ({
  name,
  provider: "p",
  id: name,
  nativeTools: true,
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
  showConfig: () => "models: {}",
  isOperator: ({ channelKind }) => channelKind === "console",
};
const run = (content: string, pinnedModel = "", channelKind = "console") =>
  runCommand(
    { content, channelKind } as InboundMessage,
    { key: "k", messages: [], pinnedModel },
    ports,
  );

describe("slash commands", () => {
  it("leave ordinary text alone, also paths", () => {
    expect(run("hello /clear")).toBeUndefined();
    expect(run("/usr/bin is where?")).toBeUndefined();
  });

  it("list themselves", () =>
    expect(run("/help")?.text).toMatch(/\/clear, \/new[^]*\/model[^]*\/show config/));

  it("clear the session under both names", () => {
    expect(run("/clear")?.clearsSession).toBe(true);
    expect(run(" /NEW ")?.clearsSession).toBe(true);
  });

  it("show, choose and release the model", () => {
    expect(run("/model")?.text).toContain("* p/small\n  p/big");
    expect(run("/model", "p/big")?.text).toContain("* p/big");
    expect(run("/model p/big")).toMatchObject({ pinnedModel: "p/big" });
    expect(run("/model nope")).toMatchObject({
      pinnedModel: undefined,
      text: expect.stringContaining("nope") as string,
    });
    expect(run("/model auto", "p/big")).toMatchObject({ pinnedModel: "" });
  });

  it("show the configuration to the operator only", () => {
    expect(run("/show config")?.text).toBe("models: {}");
    expect(run("/show config", "", "webhook")?.text).toMatch(/only the operator/i);
  });

  it("answer an unknown command with the way to the list", () =>
    expect(run("/foo")?.text).toContain("/help"));
});
