import { createBackoff } from "../../base/backoff.ts";
import type { Backoff } from "../../base/backoff.ts";
import type { Clock } from "../../base/clock.ts";
import { untilAborted } from "../../base/deadline.ts";
import { ProviderError } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { Model, ModelReply, ModelRequest } from "../../domain/model.ts";
import type { FittedRequest, RequestFitter } from "../../domain/request-fitter.ts";
import { attemptModel, toCancelled, toProviderError } from "./attempt-model.ts";
import { attemptWithLease } from "./attempt-with-lease.ts";
import type { Provider } from "../create-providers.ts";
import type { CredentialPools } from "../credentials/credential-pools.ts";
import type { CredentialPool } from "../credentials/credentials.ts";
import { toFinalError, toSeconds } from "./final-error.ts";
import type { ModelFailure } from "./final-error.ts";
import { findTokenLimit } from "../wire/find-token-limit.ts";
import type { HealthGate } from "./health-gate.ts";

export interface ModelCall {
  /** Ranked; tried in this order. */
  readonly models: readonly Model[];
  /** The whole of it; every model is sent what it can read. */
  readonly request: ModelRequest;
  readonly signal: AbortSignal;
  /** A piece of the answer. */
  readonly onText: (delta: string) => void;
  /** What `onText` was given so far came from an attempt that failed; what follows replaces it. */
  readonly onReset: () => void;
  /** The model that is asked next. */
  readonly onModel: (model: Model) => void;
}

/**
 * Asks the first model that answers. The text of two attempts is never joined: `onReset` stands between them.
 * @throws ProviderError of the most telling failure once every candidate failed, or `cancelled` when `signal` aborts.
 */
export type ModelCaller = (call: ModelCall) => Promise<ModelReply>;

export interface ModelCallerOptions {
  readonly providers: readonly Provider[];
  readonly pools: CredentialPools;
  /** Absent: every model is sent whole requests. */
  readonly fitter?: RequestFitter | undefined;
  /** Absent: the ranked order holds, whatever failed before. */
  readonly health?: HealthGate | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly random?: () => number;
}

/** What is worth trying after a failure: less, another key, the same model after a wait, only other models, or nothing. */
type NextStep = "shorten" | "next-credential" | "retry" | "next-model" | "stop";

/** One ranked model and how it fares within a call. */
interface Candidate {
  readonly model: Model;
  readonly provider: Provider;
  readonly pool: CredentialPool;
  readonly backoff: Backoff;
  /** Positions of the keys that were tried in this round. */
  readonly tried: Set<number>;
  attempts: number;
  /** Rounds over all models in which this one was asked. */
  rounds: number;
  /** Not asked again before this moment. */
  readyAtMs: number;
  isOver: boolean;
  error: ProviderError | undefined;
}

const sendWhole: RequestFitter = (request) => ({
  forModel: () => request,
  shorten: () => false,
  learn: () => undefined,
});

/** Pauses on the way to the next key or model; those of one call together stay below the total. */
const passing = { initialMs: 20, maxMs: 80, totalMs: 200 } as const;

/**
 * Gets: ranked models. Gives: the reply of the first that answers: each model with one key after the other, and all of
 * them once more after a wait that may help. Never: text of two attempts in one answer, or a call with a key that rests.
 */
export function createModelCaller(options: ModelCallerOptions): ModelCaller {
  const { pools, health, clock, log, fitter = sendWhole, random = Math.random } = options;
  const providers = new Map(options.providers.map((provider) => [provider.name, provider]));

  const toCandidate = (model: Model): Candidate | ModelFailure => {
    const provider = providers.get(model.provider);
    const pool = pools.of(model.provider);
    if (provider === undefined || pool === undefined) {
      const message = `${model.name}: no provider named "${model.provider}" is configured under models.providers`;
      const error = new ProviderError(message, { reason: "unreachable", model: model.name });
      return { attempts: 0, error };
    }
    const { initialDelayMs: initialMs, maxDelayMs: maxMs } = provider.retry;
    const backoff = createBackoff({ initialMs, maxMs, jitter: 0.5, random });
    const start = { attempts: 0, rounds: 0, readyAtMs: 0, isOver: false, error: undefined };
    return { model, provider, pool, backoff, tried: new Set(), ...start };
  };

  /** One call's way over the candidates. */
  const createWalk = (call: ModelCall) => {
    const { signal, onText, onReset } = call;
    const fitted = fitter(call.request);
    const passBackoff = createBackoff({ ...passing, jitter: 0.5, random });
    let passMs: number = passing.totalMs;
    let isPauseDue = false;
    let asked: Model | undefined;

    const pass = async (): Promise<void> => {
      if (!isPauseDue) return;
      isPauseDue = false;
      const waitMs = Math.min(passMs, passBackoff.nextMs());
      passMs -= waitMs;
      if (waitMs > 0) await clock.sleep(waitMs, signal);
    };

    /** Asks one model with one key after the other. */
    const ask = async (
      candidate: Candidate,
      isLastResort: boolean,
    ): Promise<ModelReply | NextStep> => {
      const { model, pool, provider, tried } = candidate;
      const { sessionKey } = call.request;
      for (;;) {
        const request = fitted.forModel(model);
        if (request === undefined) return "next-model";
        const wish = { model, sessionKey, tried, isLastResort };
        // The key is chosen after the pause: meanwhile another call may have learnt that it has to rest.
        if (pool.canServe(wish)) await pass();
        if (signal.aborted) throw toCancelled(model);
        const lease = pool.choose(wish);
        if (lease === undefined) return "next-credential";
        if (asked !== model) call.onModel(model);
        asked = model;
        tried.add(lease.position);
        candidate.attempts += 1;
        let isTaken = true;
        try {
          const target = { adapter: provider.adapter, model, request };
          const isToken = lease.kind === "oauth";
          const outcome = await attemptWithLease({
            lease,
            model,
            signal,
            run: (credential) =>
              attemptModel({ ...target, credential, isToken, signal, onText, onReset }),
          });
          isTaken = outcome.kind === "answered";
          if (outcome.kind === "not-taken") throw outcome.error;
          const { reply } = outcome;
          lease.succeed();
          health?.answered(model);
          fitted.learn(reply);
          return reply;
        } catch (caught) {
          const error = toProviderError(caught, model);
          if (signal.aborted) {
            lease.release();
            throw toCancelled(model);
          }
          if (isTaken) lease.fail(error);
          else lease.failToTake(error);
          if (isTaken) health?.failed(model, error);
          candidate.error = error;
          const step = isTaken ? toNextStep(error, model, fitted) : "next-credential";
          const { reason } = error;
          const { position } = lease;
          log.warn({ model: model.name, credential: position, reason, step }, "model call failed");
          isPauseDue =
            isTaken && reason !== "unauthorized" && reason !== "billing" && step !== "shorten";
          if (step === "shorten") tried.delete(position);
          else if (step !== "next-credential") return step;
        }
      }
    };

    /** Asks every candidate that is ready, with keys in good standing first. */
    return async (candidates: readonly Candidate[]): Promise<ModelReply | "stop" | undefined> => {
      isPauseDue = false;
      const ready = candidates.filter(
        ({ isOver, readyAtMs }) => !isOver && readyAtMs <= clock.now(),
      );
      for (const { tried } of ready) tried.clear();
      const attemptsBefore = ready.map(({ attempts }) => attempts);
      const finished = new Set<Candidate>();
      for (const isLastResort of [false, true]) {
        for (const candidate of ready.filter((one) => !finished.has(one))) {
          const outcome = await ask(candidate, isLastResort);
          if (typeof outcome === "object" || outcome === "stop") return outcome;
          if (outcome !== "next-credential") finished.add(candidate);
          candidate.isOver = outcome === "next-model";
        }
      }
      for (const [index, candidate] of ready.entries()) {
        if (candidate.attempts === attemptsBefore[index]) continue;
        candidate.rounds += 1;
        const wantedMs = candidate.error?.retryAfterMs ?? 0;
        const isOwn = finished.has(candidate);
        const waitMs = Math.max(candidate.backoff.nextMs(), isOwn ? wantedMs : 0);
        candidate.readyAtMs = clock.now() + waitMs;
      }
      return undefined;
    };
  };

  /** How long until it makes sense to ask again, within everybody's patience; `undefined` when it does not. */
  const findWait = (candidates: readonly Candidate[], startedAtMs: number): number | undefined => {
    const nowMs = clock.now();
    const waits = candidates.flatMap((candidate) => {
      const { maxAttempts, maxDelayMs, maxTotalMs } = candidate.provider.retry;
      const atMs = findReadyMs(candidate, nowMs);
      if (candidate.isOver || atMs === undefined || candidate.rounds >= maxAttempts) return [];
      const waitMs = atMs - nowMs;
      const isTooLong = waitMs > maxDelayMs || atMs - startedAtMs > maxTotalMs;
      return isTooLong ? [] : [waitMs];
    });
    return waits.length === 0 ? undefined : Math.min(...waits);
  };

  return async (call) => {
    const { signal, models } = call;
    // The database may be away; whoever gives up meanwhile is not kept.
    await untilAborted(signal, pools.restored).catch(() => undefined);
    const all = (health?.order(models) ?? models).map(toCandidate);
    const candidates = all.filter((one): one is Candidate => "model" in one);
    const askAll = createWalk(call);
    const startedAtMs = clock.now();
    const cancelled = (): ProviderError => toCancelled(models[0]);
    for (;;) {
      if (signal.aborted) throw cancelled();
      const outcome = await askAll(candidates);
      if (typeof outcome === "object") return outcome;
      const waitMs = outcome === "stop" ? undefined : findWait(candidates, startedAtMs);
      if (waitMs === undefined) break;
      log.warn({ waitMs }, "no model answered yet, trying again after a wait");
      await clock.sleep(waitMs, signal);
    }
    const nowMs = clock.now();
    const failures = all.flatMap((one) => toFailures(one, nowMs));
    const error = toFinalError(failures, findSoonest(candidates, nowMs));
    log.warn({ err: error, reason: error.reason }, "no model gave an answer");
    throw error;
  };
}

/** When the model may be asked again; `undefined` when never. */
function findReadyMs({ pool, model, readyAtMs }: Candidate, nowMs: number): number | undefined {
  const drought = pool.findDrought(model);
  if (drought === undefined) return Math.max(readyAtMs, nowMs);
  return drought.untilMs === undefined ? undefined : Math.max(readyAtMs, drought.untilMs);
}

/** How long until some model can be asked at all. */
function findSoonest(candidates: readonly Candidate[], nowMs: number): number | undefined {
  const times = candidates
    .filter(({ isOver }) => !isOver)
    .flatMap((candidate) => findReadyMs(candidate, nowMs) ?? []);
  return times.length === 0 ? undefined : Math.min(...times) - nowMs;
}

/** How a candidate failed; one that was never asked because its keys rest has failed, too. */
function toFailures(one: Candidate | ModelFailure, nowMs: number): ModelFailure[] {
  if (!("model" in one)) return [one];
  const { attempts, error, model, pool } = one;
  if (error !== undefined) return [{ attempts, error }];
  const drought = pool.findDrought(model);
  if (drought === undefined) return [];
  const { reason, untilMs, advice } = drought;
  const what =
    untilMs === undefined
      ? (advice ??
        "the provider accepts none of its credentials; they are used again when their values change")
      : `every credential rests (${reason}), the first one for ${toSeconds(untilMs - nowMs)} more`;
  const retryAfterMs = untilMs === undefined ? undefined : untilMs - nowMs;
  const details = { reason, model: model.name, retryAfterMs };
  return [{ attempts, error: new ProviderError(`${model.name}: ${what}`, details) }];
}

function toNextStep(error: ProviderError, model: Model, fitted: FittedRequest): NextStep {
  switch (error.reason) {
    case "rate-limited":
    case "unauthorized":
    case "billing":
      return "next-credential";
    case "overloaded":
    case "unreachable":
    case "timed-out":
    case "broken-stream":
      return "retry";
    case "invalid-request":
      // The request itself is at fault with 400 and 422; anything else (no such model, wrong path) is this model's own.
      return error.status === 400 || error.status === 422 ? "stop" : "next-model";
    case "context-too-long":
      return fitted.shorten(model, findTokenLimit(error.message)) ? "shorten" : "next-model";
    case "content-filtered":
    case "cancelled":
      return "stop";
  }
}
