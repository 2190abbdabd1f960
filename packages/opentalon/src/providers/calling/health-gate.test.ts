import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createManualClock } from "../../base/clock.ts";
import type { ManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { ProviderError } from "../../base/errors.ts";
import type { ProviderFailureReason } from "../../base/errors.ts";
import { createHealthGate } from "./health-gate.ts";
import type { HealthGate } from "./health-gate.ts";
import { createModel } from "../model-adapter.contract.ts";

const primary = createModel({ name: "a/main", provider: "a", id: "main" });
const sibling = createModel({ name: "a/other", provider: "a", id: "other" });
const fallback = createModel({ name: "b/main", provider: "b", id: "main" });
const chain = [primary, sibling, fallback];

describe("the health gate", () => {
  let clock: ManualClock;
  let gate: HealthGate;
  let probes: number;
  let isGood: boolean;
  beforeEach(() => {
    clock = createManualClock();
    probes = 0;
    isGood = true;
    const probe = async (): Promise<boolean> => {
      probes += 1;
      return isGood;
    };
    gate = createHealthGate({
      probes: new Map([
        ["a", probe],
        ["b", probe],
      ]),
      intervalMs: 10_000,
      recoverAfter: 3,
      clock,
      log: createSilentLog(),
    });
  });
  afterEach(() => gate[Symbol.asyncDispose]());

  const fail = (model = primary, reason: ProviderFailureReason = "unreachable"): void =>
    gate.failed(model, new ProviderError("gone", { reason, model: model.name }));
  const order = (): readonly string[] => gate.order(chain).map(({ name }) => name);
  const pass = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time += 1) {
      clock.advance(10_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const inOrder = chain.map(({ name }) => name);
  const primaryLast = ["a/other", "b/main", "a/main"];

  it("does nothing while all is well", async () => {
    expect(gate.order(chain)).toBe(chain);
    await pass(100);
    expect(probes).toBe(0);
  });

  it("puts a model last that failed, and back after enough good probes in a row", async () => {
    fail();
    expect(order()).toEqual(primaryLast);
    isGood = false;
    await pass(1);
    isGood = true;
    await pass(2);
    expect(order()).toEqual(primaryLast);
    await pass(1);
    expect(order()).toEqual(inOrder);
    await pass(5);
    expect(probes).toBe(4);
  });

  it("begins to count anew when the model fails meanwhile", async () => {
    fail();
    await pass(2);
    fail();
    await pass(2);
    expect(order()).toEqual(primaryLast);
    await pass(1);
    expect(order()).toEqual(inOrder);
  });

  it("takes an answer for health", async () => {
    fail();
    gate.answered(primary);
    expect(order()).toEqual(inOrder);
    await pass(5);
    expect(probes).toBe(0);
  });

  it("works for every model, and keeps the order of those that are out", () => {
    fail(fallback);
    expect(order()).toEqual(inOrder);
    fail(primary);
    expect(order()).toEqual(["a/other", "a/main", "b/main"]);
    fail(sibling);
    expect(order()).toEqual(inOrder);
  });

  it.each([
    "rate-limited",
    "billing",
    "unauthorized",
    "context-too-long",
    "invalid-request",
  ] as const)("does not mind %s", (reason) => {
    fail(primary, reason);
    expect(order()).toEqual(inOrder);
  });

  it("pauses its probes when nobody calls, and goes on with the next call", async () => {
    isGood = false;
    fail();
    await pass(100);
    expect(probes).toBe(30);
    expect(order()).toEqual(primaryLast);
    await pass(1);
    expect(probes).toBe(31);
  });

  it("leaves no timer behind", async () => {
    fail();
    await gate[Symbol.asyncDispose]();
    await pass(3);
    expect(probes).toBe(0);
  });
});
