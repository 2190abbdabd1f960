import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createManualClock, type ManualClock } from "../../base/clock.ts";
import { createSilentLog } from "../../base/create-log.ts";
import { BudgetError, ProviderError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Model, ModelReply, TokenUsage } from "../../domain/model.ts";
import { createSqliteStore } from "../../store/sqlite-store.ts";
import { defaultStoreLimits, type Store } from "../../store/ports.ts";
import type { BudgetRules } from "./budget-accounts.ts";
import { type BudgetGuard, createBudgetGuard, type PayingTurn } from "./budget-guard.ts";
import type { ModelCaller } from "../calling/call-model.ts";
import { createModel, createRequest } from "../model-adapter.contract.ts";

const none = { money: 0, tokens: 0 };
const unlimited: BudgetRules = {
  session: none,
  person: { ...none, period: "day" },
  total: { ...none, period: "day" },
  warnAt: 80,
  timeZone: "UTC",
};
/** $1 for a thousand tokens, read or written. */
const model = createModel({ name: "p/m", cost: { input: 1_000, output: 1_000 } });
const toTurn = (changes: Partial<PayingTurn> = {}): PayingTurn => ({
  id: "turn",
  attempt: 1,
  sessionKey: "console:room",
  actor: "console:ada",
  ...changes,
});
const toReply = (usage: TokenUsage, changes: Partial<ModelReply> = {}): ModelReply => ({
  text: "hi",
  toolCalls: [],
  finishReason: "stop",
  usage,
  model: "p/m",
  ...changes,
});
/** A caller whose answer costs so many dollars. */
const answering =
  (dollars: number): ModelCaller =>
  () =>
    Promise.resolve(toReply({ inputTokens: dollars * 1_000, outputTokens: 0 }));

describe("budgets", () => {
  const startMs = Date.parse("2026-03-31T22:30:00Z");
  let folder: string;
  let clock: ManualClock;
  let store: Store;
  let warnings: string[];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "opentalon-budget-"));
    clock = createManualClock(startMs);
    store = await createSqliteStore({ dataDirectory: folder, clock, limits: defaultStoreLimits });
    warnings = [];
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const createGuard = (rules: Partial<BudgetRules>): BudgetGuard => {
    const log: Log = {
      ...createSilentLog(),
      warn: (_details: unknown, words?: string) => void warnings.push(words ?? ""),
    };
    const estimateInput = () => 100;
    return createBudgetGuard({
      rules: { ...unlimited, ...rules },
      store: store.budgets,
      estimateInput,
      clock,
      log,
    });
  };
  const ask = (
    guard: BudgetGuard,
    caller: ModelCaller,
    turn: PayingTurn = toTurn(),
    models: readonly Model[] = [model],
  ): Promise<ModelReply> =>
    guard.spend(
      turn,
      caller,
    )({
      models,
      request: createRequest(),
      signal: new AbortController().signal,
      onText: () => undefined,
      onReset: () => undefined,
      onModel: () => undefined,
    });
  const refusal = async (asked: Promise<unknown>): Promise<BudgetError> => {
    const outcome: unknown = await asked.catch((error: unknown) => error);
    if (!(outcome instanceof BudgetError)) throw new Error("expected a BudgetError");
    return outcome;
  };

  it("that are not configured change nothing and touch nothing", async () => {
    const guard = createBudgetGuard({
      rules: unlimited,
      store: {} as Store["budgets"],
      estimateInput: () => 0,
      clock,
      log: createSilentLog(),
    });
    const caller = answering(1);
    expect(guard.spend(toTurn(), caller)).toBe(caller);
    expect(await guard.findNotices(toTurn())).toEqual([]);
    expect(await guard.describe(toTurn(), true)).toBe("No budget is set.");
    expect(guard.toCommit("k")).toBeUndefined();
  });

  it("of a conversation refuse with what was used, how it is renewed, and which key raises it", async () => {
    const guard = createGuard({ session: { money: 2, tokens: 0 } });
    await ask(guard, answering(1.99));
    await ask(guard, answering(0.01));
    const error = await refusal(ask(guard, answering(1)));
    expect(error.code).toBe("BUDGET_USED_UP");
    expect(error.message).toBe(
      "The budget of this conversation is used up: $2.00 of $2.00. /clear begins a new conversation with a new budget; the operator can raise budgets.session.money.",
    );
    await ask(guard, answering(1), toTurn({ sessionKey: "console:other" }));
  });

  it("never ask a model when they refuse", async () => {
    const guard = createGuard({ session: { money: 1, tokens: 0 } });
    await ask(guard, answering(1));
    let asked = 0;
    await refusal(ask(guard, () => ((asked += 1), answering(1)({} as never))));
    expect(asked).toBe(0);
  });

  it("of a person hold over all conversations of a channel until the day ends in the time zone", async () => {
    const person = { money: 1, tokens: 0, period: "day" } as const;
    const guard = createGuard({ person, timeZone: "Europe/Berlin" });
    await ask(guard, answering(1));
    const error = await refusal(ask(guard, answering(1), toTurn({ sessionKey: "console:other" })));
    // It is half past midnight in Berlin.
    expect(error.message).toBe(
      "Your budget for today is used up: $1.00 of $1.00. It is renewed on 2026-04-02 00:00 (Europe/Berlin); the operator can raise budgets.person.money.",
    );
    await ask(guard, answering(0.5), toTurn({ actor: "console:bob" }));
    clock.advance(23.5 * 3_600_000 - 1);
    await refusal(ask(guard, answering(1)));
    clock.advance(1);
    await ask(guard, answering(1));
  });

  it("of a month end with the month", async () => {
    const total = { money: 1, tokens: 0, period: "month" } as const;
    const guard = createGuard({ total });
    await ask(guard, answering(1));
    const error = await refusal(ask(guard, answering(1)));
    expect(error.message).toBe(
      "The budget everybody shares for this month is used up. It is renewed on 2026-04-01 00:00 (UTC); the operator can raise budgets.total.money.",
    );
    clock.advance(1.5 * 3_600_000);
    await ask(guard, answering(1));
  });

  it("in tokens count what is read and written, for models without a price as well", async () => {
    const guard = createGuard({ session: { money: 0, tokens: 1_000 } });
    const caller: ModelCaller = () =>
      Promise.resolve(toReply({ inputTokens: 900, outputTokens: 100 }));
    await ask(guard, caller);
    const error = await refusal(ask(guard, caller));
    expect(error.message).toContain("1,000 of 1,000 tokens");
    expect(error.message).toContain("budgets.session.tokens");
  });

  it("count an estimate where the server counts nothing", async () => {
    const guard = createGuard({ session: { money: 0, tokens: 150 } });
    const caller: ModelCaller = () =>
      Promise.resolve(toReply({ inputTokens: 0, outputTokens: 0 }, { text: "x".repeat(298) }));
    await ask(guard, caller);
    expect((await refusal(ask(guard, caller))).message).toContain("200 of 150 tokens");
  });

  it("charge the dearest of the models when the one that answered is not among them", async () => {
    const guard = createGuard({ session: { money: 5, tokens: 0 } });
    const cheap = createModel({ name: "p/cheap", cost: { input: 1, output: 1 } });
    const caller: ModelCaller = () =>
      Promise.resolve(toReply({ inputTokens: 5_000, outputTokens: 0 }, { model: "p/unknown" }));
    await ask(guard, caller, toTurn(), [cheap, model]);
    await refusal(ask(guard, caller));
  });

  it("are not charged for a call that failed", async () => {
    const guard = createGuard({ session: { money: 1, tokens: 0 } });
    const failure = new ProviderError("down", { reason: "unreachable", model: "p/m" });
    await expect(ask(guard, () => Promise.reject(failure))).rejects.toBe(failure);
    await ask(guard, answering(1));
  });

  it("are charged for an answer that was cancelled half-way, which the provider bills as well", async () => {
    const guard = createGuard({ person: { money: 1, tokens: 0, period: "day" } });
    const cancelled: ModelCaller = ({ models, onModel, onText }) => {
      if (models[0] !== undefined) onModel(models[0]);
      onText("x".repeat(600));
      return Promise.reject(new ProviderError("cancelled", { reason: "cancelled", model: "p/m" }));
    };
    await expect(ask(guard, cancelled)).rejects.toThrow("cancelled");
    // 100 tokens read, 200 written.
    expect(await guard.describe(toTurn(), false)).toContain("$0.30 of $1.00");
    for (let time = 0; time < 3; time += 1) await ask(guard, cancelled).catch(() => undefined);
    expect((await refusal(ask(guard, answering(0.1)))).code).toBe("BUDGET_USED_UP");
  });

  it("are charged for the question alone when it was cancelled before an answer came", async () => {
    const guard = createGuard({ person: { money: 1, tokens: 0, period: "day" } });
    const reason = "cancelled";
    const early: ModelCaller = ({ models, onModel }) => {
      if (models[0] !== undefined) onModel(models[0]);
      return Promise.reject(new ProviderError(reason, { reason, model: "p/m" }));
    };
    const unasked: ModelCaller = () =>
      Promise.reject(new ProviderError(reason, { reason, model: "p/m" }));
    await expect(ask(guard, unasked)).rejects.toThrow(reason);
    expect(await guard.describe(toTurn(), false)).toContain("$0.00 of $1.00");
    await expect(ask(guard, early)).rejects.toThrow(reason);
    expect(await guard.describe(toTurn(), false)).toContain("$0.10 of $1.00");
  });

  it("stay within their limit and one call when 50 turns ask at once", async () => {
    const guard = createGuard({ total: { money: 10, tokens: 0, period: "day" } });
    const gate = Promise.withResolvers<void>();
    // 100 tokens read and 4,096 written are estimated: $4.196.
    const caller: ModelCaller = async (call) => {
      await gate.promise;
      return answering(4.196)(call);
    };
    const asked = Array.from({ length: 50 }, (_, index) =>
      ask(guard, caller, toTurn({ id: `turn-${index}`, sessionKey: `console:${index}` })),
    );
    const settled = Promise.allSettled(asked);
    const first = await Promise.race(asked.map((one) => refusal(one)));
    expect(first.code).toBe("BUDGET_RESERVED");
    expect(first.message).toBe(
      "The rest of the budget everybody shares for today is reserved for answers under way. Please try again in a moment.",
    );
    gate.resolve();
    const outcomes = await settled;
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    expect((await refusal(ask(guard, caller))).code).toBe("BUDGET_USED_UP");
  });

  it("tell the person once, and the log, when they run out", async () => {
    const person = { money: 1, tokens: 0, period: "day" } as const;
    const guard = createGuard({ person, total: { ...person, money: 1.2 } });
    const turns = ["one", "two", "three"].map((id) => toTurn({ id }));
    const [one, two, three] = turns as [PayingTurn, PayingTurn, PayingTurn];
    await ask(guard, answering(0.7), one);
    expect(await guard.findNotices(one)).toEqual([]);
    await ask(guard, answering(0.15), two);
    const notice =
      "85 % of your budget for today is used: $0.85 of $1.00; it is renewed on 2026-04-01 00:00 (UTC).";
    expect(await guard.findNotices(two)).toEqual([notice]);
    expect(warnings).toEqual([`a budget runs out: ${notice}`]);
    await ask(guard, answering(0.14), three);
    // The shared one is for the operator only.
    expect(await guard.findNotices(three)).toEqual([]);
    expect(warnings).toHaveLength(2);
    // A turn that is taken over after its warning was noted still tells it.
    expect(await guard.findNotices({ ...two, attempt: 2 })).toHaveLength(1);
  });

  it("say nothing ahead when told so", async () => {
    const guard = createGuard({ session: { money: 1, tokens: 0 }, warnAt: 0 });
    await ask(guard, answering(0.99));
    expect(await guard.findNotices(toTurn())).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it("are shown to the person, and what everybody used to the operator", async () => {
    const guard = createGuard({
      session: { money: 2, tokens: 50_000 },
      person: { money: 0.05, tokens: 0, period: "month" },
      total: { money: 50, tokens: 0, period: "day" },
    });
    await ask(guard, answering(0.012));
    const own = [
      "This conversation: $0.01 of $2.00, 12 of 50,000 tokens; /clear begins a new one",
      "You, this month: $0.0120 of $0.0500; renewed on 2026-04-01 00:00 (UTC)",
    ];
    expect(await guard.describe(toTurn(), false)).toBe(own.join("\n"));
    const all = "Everybody, today: $0.01 of $50.00; renewed on 2026-04-01 00:00 (UTC)";
    expect(await guard.describe(toTurn(), true)).toBe([...own, all].join("\n"));
  });
});
