/**
 * Gets: a call to models and who pays for it. Gives: the same call, made only while every budget it counts in has
 * something left. Never: writes anything when no budget is configured.
 */
import type { Clock } from "../../base/clock.ts";
import { BudgetError, ProviderError } from "../../base/errors.ts";
import { createIdentifier } from "../../base/identifier.ts";
import type { Log } from "../../base/log.ts";
import type { Model, ModelReply, ModelRequest, TokenUsage } from "../../domain/model.ts";
import type { BudgetAccount, BudgetAmount, BudgetState, BudgetStore } from "../../store/ports.ts";
import {
  type BudgetRules,
  findAccounts,
  hasLimits,
  type NamedAccount,
  type Payer,
  toSessionAccount,
} from "./budget-accounts.ts";
import { toRefusal, toStatement, toWarning } from "./budget-words.ts";
import type { ModelCall, ModelCaller } from "../calling/call-model.ts";
import { toUsageCost } from "./pricing.ts";

/** The turn a call is part of. */
export interface PayingTurn extends Payer {
  readonly id: string;
  readonly attempt: number;
}

export interface BudgetGuard {
  /**
   * `callModel` on the account of the turn. It throws BudgetError instead of asking when a budget is used up, and
   * StoreError when it cannot be looked up.
   */
  readonly spend: (turn: PayingTurn, callModel: ModelCaller) => ModelCaller;
  /** Words for the person, once for each budget that began to run out in this turn. */
  readonly findNotices: (turn: PayingTurn) => Promise<readonly string[]>;
  /** What is used and what is left, as `/budget` shows it; what everybody used only to the operator. */
  readonly describe: (payer: Payer, isOperator: boolean) => Promise<string>;
  /** What the commit of a turn has to say of budgets; `undefined` when there are none. */
  readonly toCommit: (sessionKey: string) => { readonly sessionAccount: string } | undefined;
}

export interface BudgetGuardOptions {
  readonly rules: BudgetRules;
  readonly store: BudgetStore;
  /** Tokens of a whole request, estimated on the safe side. */
  readonly estimateInput: (request: ModelRequest) => number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Longer than any call; what a dead process reserved is free again after it. */
const reservationMs = 3_600_000;
/** What an answer is reckoned with: few are longer, and a model's limit would let far too few be under way at once. */
const usualOutputTokens = 4_096;

export function createBudgetGuard(options: BudgetGuardOptions): BudgetGuard {
  const { rules, store, estimateInput, clock, log } = options;
  const isActive = hasLimits(rules);

  const spend: BudgetGuard["spend"] = (turn, callModel) => async (call) => {
    const nowMs = clock.now();
    const accounts = findAccounts(rules, turn, nowMs);
    const id = createIdentifier();
    const requestTokens = estimateInput(call.request);
    const decision = await store.reserve({
      turn,
      call: id,
      accounts,
      estimate: toEstimate(call, requestTokens),
      expiresAtMs: nowMs + reservationMs,
    });
    if (decision.kind === "refused") {
      const { account, state, why } = decision;
      throw new BudgetError(
        why === "used-up" ? "BUDGET_USED_UP" : "BUDGET_RESERVED",
        toRefusal(findNamed(accounts, account), state, why),
      );
    }
    const settle = async (used: BudgetAmount): Promise<void> => {
      const { warnAt: warnAtPercent } = rules;
      const warned = await store.settle({
        turnId: turn.id,
        call: id,
        accounts,
        used,
        warnAtPercent,
      });
      for (const { account, state } of warned) {
        const words = toWarning(findNamed(accounts, account), state);
        log.warn({ trace: turn.id, budget: account.account }, `a budget runs out: ${words}`);
      }
    };
    const watched = watch(call, requestTokens);
    let reply: ModelReply;
    try {
      reply = await callModel(watched.call);
    } catch (error) {
      const lost = isCancelled(error) ? watched.toLost() : undefined;
      // The failure of the call matters more than the books.
      if (lost === undefined) await release(turn.id, id);
      else await settle(lost).catch((problem: unknown) => warnOfLoss(turn.id, problem));
      throw error;
    }
    await settle(toUsed(reply, call, requestTokens));
    return reply;
  };

  const warnOfLoss = (trace: string, err: unknown): void =>
    log.warn({ trace, err }, "what a cancelled call used could not be booked");

  /** A reservation that stays expires; the failure of the call matters more. */
  const release = (turnId: string, call: string): Promise<void> =>
    store.release(turnId, call).catch((error: unknown) => {
      log.warn({ trace: turnId, err: error }, "a reserved budget could not be given back yet");
    });

  const readAll = async (
    accounts: readonly NamedAccount[],
  ): Promise<readonly { account: NamedAccount; state: BudgetState }[]> => {
    const states = await store.read(accounts);
    return accounts.flatMap((account, index) => {
      const state = states[index];
      return state === undefined ? [] : [{ account, state }];
    });
  };

  return {
    spend: (turn, callModel) => (isActive ? spend(turn, callModel) : callModel),
    findNotices: async (turn) => {
      if (!isActive || rules.warnAt === 0) return [];
      // What everybody together used is for the operator, who finds it in the log.
      const own = findAccounts(rules, turn, clock.now()).filter(({ kind }) => kind !== "total");
      if (own.length === 0) return [];
      const warned = (await readAll(own)).filter(({ state }) => state.warnedBy === turn.id);
      return warned.map(({ account, state }) => toWarning(account, state));
    },
    describe: async (payer, isOperator) => {
      const accounts = findAccounts(rules, payer, clock.now()).filter(
        ({ kind }) => isOperator || kind !== "total",
      );
      if (accounts.length === 0) return "No budget is set.";
      const lines = (await readAll(accounts)).map(({ account, state }) =>
        toStatement(account, state),
      );
      return lines.join("\n");
    },
    toCommit: (sessionKey) =>
      isActive ? { sessionAccount: toSessionAccount(sessionKey) } : undefined,
  };
}

/** What the call may come to if the dearest of its models answers. */
function toEstimate({ models }: ModelCall, requestTokens: number): BudgetAmount {
  const estimates = models.map((model) => {
    const { contextWindow, maxTokens } = model;
    // What does not fit is left out before it is sent.
    const inputTokens = contextWindow > 0 ? Math.min(requestTokens, contextWindow) : requestTokens;
    const outputTokens = maxTokens > 0 ? Math.min(maxTokens, usualOutputTokens) : usualOutputTokens;
    return toAmount({ inputTokens, outputTokens }, [model]);
  });
  return {
    money: Math.max(0, ...estimates.map(({ money }) => money)),
    tokens: Math.max(0, ...estimates.map(({ tokens }) => tokens)),
  };
}

/** What was used. A server that counts nothing, and a model nobody knows the price of, must not be free. */
function toUsed(reply: ModelReply, { models }: ModelCall, requestTokens: number): BudgetAmount {
  const model = models.find(({ name }) => name === reply.model);
  const isCounted = reply.usage.inputTokens + reply.usage.outputTokens > 0;
  const usage = isCounted ? reply.usage : estimateUsage(reply, requestTokens);
  return toAmount(usage, model === undefined ? models : [model]);
}

/** A call with an eye on what it comes to when it is cut short. */
interface WatchedCall {
  readonly call: ModelCall;
  /** What a cancelled call has used: providers bill the question, and what they wrote. `undefined` when none was asked. */
  readonly toLost: () => BudgetAmount | undefined;
}

function watch(call: ModelCall, inputTokens: number): WatchedCall {
  let asked: Model | undefined;
  let length = 0;
  return {
    call: {
      ...call,
      onModel: (model) => {
        asked = model;
        call.onModel(model);
      },
      onText: (delta) => {
        length += delta.length;
        call.onText(delta);
      },
    },
    toLost: () =>
      asked === undefined
        ? undefined
        : toAmount({ inputTokens, outputTokens: toOutputTokens(length) }, [asked]),
  };
}

function isCancelled(error: unknown): boolean {
  return error instanceof ProviderError && error.reason === "cancelled";
}

function estimateUsage({ text, toolCalls }: ModelReply, inputTokens: number): TokenUsage {
  const length = text.length + JSON.stringify(toolCalls).length;
  return { inputTokens, outputTokens: toOutputTokens(length) };
}

function toOutputTokens(length: number): number {
  return Math.ceil(length / 3);
}

/** At the prices of the dearest of `models`. */
function toAmount(usage: TokenUsage, models: readonly Model[]): BudgetAmount {
  const costs = models.map((model) => toUsageCost(usage, model));
  return {
    money: Math.max(0, ...costs.map(({ inputCost, outputCost }) => inputCost + outputCost)),
    tokens: usage.inputTokens + usage.outputTokens,
  };
}

function findNamed(accounts: readonly NamedAccount[], { account }: BudgetAccount): NamedAccount {
  const named = accounts.find((one) => one.account === account);
  if (named === undefined) throw new Error(`no account ${account} was asked about`);
  return named;
}
