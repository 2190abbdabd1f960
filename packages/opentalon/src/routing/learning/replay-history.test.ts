import { describe, expect, it } from "vitest";
import type { RoutingOutcome } from "../../store/ports.ts";
import { passedOver } from "./affinity.ts";
import { encodeFeatures, toQueryFeatures } from "./query-features.ts";
import { replayHistory } from "./replay-history.ts";

const models = [
  { name: "p/small", weight: 90 },
  { name: "p/big", weight: 10 },
];

/** Judgements as the store gives them, a minute after each other. */
function createHistory() {
  const outcomes: RoutingOutcome[] = [];
  const judge = (
    model: string,
    accepted: boolean,
    { text = "How much is 6 times 7?", ...more }: Partial<RoutingOutcome> & { text?: string } = {},
  ): void => {
    const features = toQueryFeatures({ text, toolCount: 0, depth: 1 });
    const at = outcomes.length;
    outcomes.push({
      id: `t${at}`,
      model,
      task: features.task,
      features: encodeFeatures(features),
      tried: [],
      cause: "weight",
      inputTokens: 10,
      outputTokens: 10,
      cost: model === "p/big" ? 1 : 0.05,
      strongestModel: "p/big",
      strongestCost: 1,
      signalId: String(at).padStart(16, "0"),
      signalledAtMs: 1_750_000_000_000 + at * 60_000,
      accepted,
      weight: 2,
      ...more,
    });
  };
  return { outcomes, judge };
}

const replay = (outcomes: readonly RoutingOutcome[], slices?: number) =>
  replayHistory({ outcomes, models, decayDays: 30, ...(slices === undefined ? {} : { slices }) });

describe("a replay", () => {
  it("of nothing is nothing", () => {
    expect(replay([])).toMatchObject({ judgements: 0, total: { questions: 0 }, curve: [] });
  });

  it("starts with nothing, so it first asks the cheap model as the program did", () => {
    const { outcomes, judge } = createHistory();
    judge("p/small", true);
    expect(replay(outcomes).total).toMatchObject({
      questions: 1,
      agreed: 1,
      known: 1,
      acceptedThen: 1,
      knownAcceptedNow: 1,
      knownCostNow: 0.05,
    });
  });

  it("learns: where the cheap model was always rejected it asks the strong one, and knows what that got", () => {
    const { outcomes, judge } = createHistory();
    for (let at = 0; at < 60; at++) {
      judge("p/small", false);
      judge("p/big", true, { tried: ["p/small"] });
    }
    const { total, curve, judgements } = replay(outcomes);
    expect(judgements).toBe(120);
    expect(total).toMatchObject({ questions: 60, known: 60, acceptedThen: 0 });
    expect(curve).toHaveLength(10);
    const last = curve.at(-1);
    expect(last).toMatchObject({ questions: 6, agreed: 0, knownAcceptedNow: 6, knownCostNow: 6 });
    expect(total.knownAcceptedNow).toBe(60 - total.agreed);
  });

  it("counts nothing for a choice that did not answer then", () => {
    const { outcomes, judge } = createHistory();
    judge("p/big", true, { cause: "override" });
    expect(replay(outcomes).total).toMatchObject({
      questions: 1,
      agreed: 0,
      known: 0,
      knownAcceptedNow: 0,
      knownCostThen: 0,
      acceptedThen: 1,
    });
  });

  it("joins the answers of one question, also when others come between them", () => {
    const { outcomes, judge } = createHistory();
    judge("p/small", false, { text: "first question" });
    judge("p/small", false, { text: "another one, quite different from it" });
    judge("p/big", true, { text: "first question", tried: ["p/small"] });
    judge("p/big", false, {
      text: "another one, quite different from it",
      tried: ["p/small"],
    });
    expect(replay(outcomes).total.questions).toBe(2);
  });

  it("leaves out a question whose first answer is not recorded, and rows it cannot read", () => {
    const { outcomes, judge } = createHistory();
    judge("p/big", true, { tried: ["p/small"] });
    judge("p/small", true, { features: "nonsense" });
    expect(replay(outcomes)).toMatchObject({ judgements: 2, total: { questions: 0 } });
  });

  it("does not know what a person passed over before it has chosen", () => {
    const { outcomes, judge } = createHistory();
    for (let at = 0; at < 40; at++) {
      const text = `question number ${"x".repeat(at + 1)}`;
      const id = `turn${at}`;
      judge("p/small", false, { text, id: `${id}-passed`, cause: passedOver, cost: 0 });
      judge("p/big", true, { text, id, cause: "override" });
    }
    const { total, curve } = replay(outcomes, 40);
    expect(total.questions).toBe(40);
    expect(curve[0]).toMatchObject({ questions: 1, agreed: 0 });
    expect(curve.at(-1)).toMatchObject({ agreed: 1, knownAcceptedNow: 1 });
  });

  it("is the same each time", () => {
    const { outcomes, judge } = createHistory();
    for (let at = 0; at < 50; at++) judge("p/small", at % 3 > 0, { text: `question ${at}` });
    expect(replay(outcomes)).toEqual(replay(outcomes));
  });
});
